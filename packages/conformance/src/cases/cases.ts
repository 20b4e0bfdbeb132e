import assert from 'node:assert/strict'
import type { Capabilities, SessionStore } from '@turnstore/core'
import { type Child, startChild, type StartingChild } from '../child/child.js'
import { type Clause, contract } from './contract.js'
import { nameOf } from '../checks/expect.js'
import { cut, isSmall, plain } from '../checks/texts.js'
import type { StoreSetup } from './setup.js'
import { originOf, watched } from '../checks/watched.js'

/**
 * Time limit for opening, closing and removing stores around the cases. Like all limits here, it is far above what is
 * needed: it detects a store that hangs, not a slow disk.
 */
export const AROUND_MS = 30_000

/** The tools of one case. Everything that it opens is closed and removed afterwards. */
export interface Bench {
  /** A fresh, empty store. */
  readonly store: SessionStore
  /** Opens another fresh store. */
  readonly open: () => Promise<SessionStore>
  /** Opens another handle on the data of `store`. */
  readonly reopen: () => Promise<SessionStore>
  /** Damages the stored data of a session, in one of the ways of the setup. */
  readonly damage: (kind: string, sessionId: string) => Promise<void>
  /** A child process that has opened the data of `store`. */
  readonly child: () => Promise<Child>
}

export interface CaseOptions {
  /** What the setup must provide. */
  needs?: 'reopen' | 'child'
  /** Why the case does not apply to this store. It is then skipped. */
  skip?: string | false
  /** Default: a minute, or ten in a thorough run. */
  timeoutMs?: number
}

/** What a group uses to define its cases. */
export interface Cases {
  readonly capabilities: Capabilities
  readonly thorough: boolean
  readonly seed: number | undefined
  /** The names of the setup's `damages`. */
  readonly damages: readonly string[]
  readonly it: (clause: Clause, sentence: string, body: (bench: Bench) => Promise<void>, options?: CaseOptions) => void
}

/** A case in the form that a runner needs. */
export interface Case {
  readonly clause: Clause
  readonly sentence: string
  /** Why the case does not apply to this store; null if it does. */
  readonly skipped: string | null
  /** Rejects if the store breaks the contract. On abort it ends early and closes everything. */
  readonly run: (signal?: AbortSignal) => Promise<void>
  /** The time limit for a runner: longer than the limit of `run`, which reports what is wrong. */
  readonly timeoutMs: number
}

/** One idea of the contract and its cases. */
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
    it(clause, sentence, body, { needs, skip = false, timeoutMs = setup.thorough ? 600_000 : 60_000 } = {}) {
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

/** Runs a case with a time limit, and adds the broken part of the contract to its failure. */
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

/** Waits until the time limit or an abort. */
export async function limited<T>(work: Promise<T>, timeoutMs: number, what: string, signal?: AbortSignal): Promise<T> {
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

/** Keeps the expected and actual values if they are small, so that runners can show them. */
class BrokenContract extends assert.AssertionError {}

/** Fails a case with a different part of the contract than its own. */
export function breaks(clause: Clause, message: string): never {
  throw broken(clause, new assert.AssertionError({ message, operator: 'fail' }))
}

function broken(clause: Clause, error: unknown): BrokenContract {
  const known = error instanceof assert.AssertionError ? error : undefined
  const call = originOf(error)
  const failure = call === undefined ? nameOf(error) : `${call} fails with ${nameOf(error)}`
  const isShown = known?.operator !== 'fail' && isSmall(known?.actual) && isSmall(known?.expected)
  const result = new BrokenContract({
    message: plain(`${contract[clause]}: ${known?.message ?? failure}`),
    ...(isShown ? { actual: known?.actual, expected: known?.expected } : {}),
    operator: 'fail',
  })
  if (error instanceof Error && error.stack !== undefined) {
    // Keeps the stack of the assertion and replaces its first line.
    const frames = cut(error.stack.slice(Math.max(0, error.stack.indexOf('\n    at '))), 10_000)
    result.stack = `${result.name}: ${result.message}${frames}`
  }
  return result
}

function present<T>(value: T | undefined, name: string): T {
  assert.ok(value !== undefined, `the setup has no ${name}`)
  return value
}
