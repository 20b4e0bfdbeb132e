import assert from 'node:assert/strict'
import type { Capabilities, SessionStore } from '@turnstore/core'
import { type Child, startChild, type StartingChild } from '../child/child.js'
import { type Clause, contract } from './contract.js'
import { nameOf } from '../checks/expect.js'
import type { StoreSetup } from './setup.js'
import { originOf, watched } from '../checks/watched.js'

/**
 * How long opening, closing and removing stores may take around the cases. Like all limits here it is far above what is
 * needed: it finds the store that hangs, and leaves the one on a slow disk alone.
 */
export const AROUND_MS = 30_000

/** What one case works with. All that it opens is closed and removed behind it. */
export interface Bench {
  /** Fresh and empty. */
  readonly store: SessionStore
  /** Another fresh store, for cases that need one after the other. */
  readonly open: () => Promise<SessionStore>
  /** Another handle on the data of `store`. */
  readonly reopen: () => Promise<SessionStore>
  /** Damages what is stored of a session, in one of the ways that the setup names. */
  readonly damage: (kind: string, sessionId: string) => Promise<void>
  /** A process of its own that has opened the data of `store`. */
  readonly child: () => Promise<Child>
}

export interface CaseOptions {
  /** What the setup must be able to do for it. */
  needs?: 'reopen' | 'child'
  /** Why it does not apply to this store; it is skipped by name then. */
  skip?: string | false
  timeoutMs?: number
}

/** What a group is given to define its cases with. */
export interface Cases {
  readonly capabilities: Capabilities
  readonly thorough: boolean
  readonly seed: number | undefined
  /** The ways in which the setup can damage a session. */
  readonly damages: readonly string[]
  readonly it: (clause: Clause, sentence: string, body: (bench: Bench) => Promise<void>, options?: CaseOptions) => void
}

/** A case as a runner takes it. */
export interface Case {
  readonly clause: Clause
  readonly sentence: string
  /** Why it does not apply to this store; null where it does. */
  readonly skipped: string | null
  /** Rejects where the store breaks the contract. When the signal says so it ends early, with everything closed. */
  readonly run: (signal?: AbortSignal) => Promise<void>
  /** How long a runner should wait: longer than `run` itself does, which says what is wrong. */
  readonly timeoutMs: number
}

/** One idea of the contract, with the cases that hold a store to it. */
export interface Group {
  readonly title: string
  readonly define: (cases: Cases) => void
}

/** @param add receives each case that a group defines */
export function casesOf<Store extends SessionStore>(
  setup: StoreSetup<Store>,
  capabilities: Capabilities,
  add: (found: Case) => void,
): Cases {
  return {
    capabilities,
    thorough: setup.thorough ?? false,
    seed: setup.seed,
    damages: Object.keys(setup.damages ?? {}),
    it(clause, sentence, body, { needs, skip = false, timeoutMs = 60_000 } = {}) {
      const missing = needs !== undefined && setup[needs] === undefined && `the setup has no \`${needs}\``
      add({
        clause,
        sentence,
        skipped: skip || missing || null,
        run: signal => runCase(setup, clause, body, timeoutMs, signal),
        timeoutMs: timeoutMs * 2,
      })
    },
  }
}

async function runCase<Store extends SessionStore>(
  setup: StoreSetup<Store>,
  clause: Clause,
  body: (bench: Bench) => Promise<void>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const opened: Store[] = []
  const handles: SessionStore[] = []
  const children: StartingChild[] = []
  const open = async (): Promise<Store> => {
    const store = await setup.open()
    opened.push(store)
    return store
  }
  const run = async (): Promise<void> => {
    const store = await open()
    await body({
      store: watched(store),
      open: async () => watched(await open()),
      reopen: async () => {
        const handle = await present(setup.reopen, 'reopen')(store)
        handles.push(handle)
        return watched(handle)
      },
      damage: async (kind, sessionId) => {
        await present(setup.damages?.[kind], 'damages')(store, sessionId)
      },
      child: async () => {
        const child = startChild(await present(setup.child, 'child')(store))
        children.push(child)
        return child.ready
      },
    })
  }
  const cleanUp = async (): Promise<void> => {
    await Promise.all(children.map(child => child.kill()))
    for (const store of [...handles, ...opened]) await store.close()
    for (const store of opened) await setup.destroy?.(store)
  }

  try {
    await within(run(), timeoutMs, clause, 'a call of this case', signal)
  } catch (error) {
    await within(cleanUp(), AROUND_MS, 'settles', 'closing').catch(() => {})
    throw error
  }
  await within(cleanUp(), AROUND_MS, 'settles', 'closing the stores of this case')
}

/** Ends what does not settle, and says of what goes wrong which part of the contract it breaks. */
async function within(
  work: Promise<void>,
  timeoutMs: number,
  clause: Clause,
  what: string,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await limited(work, timeoutMs, what, signal)
  } catch (error) {
    throw error instanceof BrokenContract ? error : broken(clause, error)
  }
}

/** Waits no longer than this, and not when the signal says so. */
export async function limited<T>(
  work: Promise<T>,
  timeoutMs: number,
  what: string,
  signal?: AbortSignal,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let stop = (): void => {}
  const end = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const message = `${what} has not settled within ${timeoutMs} ms`
      reject(broken('settles', new assert.AssertionError({ message, operator: 'fail' })))
    }, timeoutMs)
    stop = () => reject(new Error('the run was stopped'))
    signal?.addEventListener('abort', stop)
  })
  try {
    return await Promise.race([work, end])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}

/** Keeps what was expected and what there was, so that runners can show the two. */
class BrokenContract extends assert.AssertionError {}

/** Fails a case with another part of the contract than the one that it is about. */
export function breaks(clause: Clause, message: string): never {
  throw broken(clause, new assert.AssertionError({ message, operator: 'fail' }))
}

function broken(clause: Clause, error: unknown): BrokenContract {
  const known = error instanceof assert.AssertionError ? error : undefined
  const call = originOf(error)
  const failure = call === undefined ? nameOf(error) : `${call} fails with ${nameOf(error)}`
  const result = new BrokenContract({
    message: `${contract[clause]}: ${known?.message ?? failure}`,
    ...(known?.operator === 'fail' ? {} : { actual: known?.actual, expected: known?.expected }),
    operator: 'fail',
  })
  if (error instanceof Error && error.stack !== undefined) {
    // The place is that of the assertion; the first line is ours.
    const frames = error.stack.slice(Math.max(0, error.stack.indexOf('\n    at ')))
    result.stack = `${result.name}: ${result.message}${frames}`
  }
  return result
}

function present<T>(value: T | undefined, name: string): T {
  assert.ok(value !== undefined, `the setup has no ${name}`)
  return value
}
