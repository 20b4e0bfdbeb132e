import fc from 'fast-check'
import { isTurnstoreError, type JsonValue } from '@turnstore/core'
import type { Bench, Cases, Group } from '../../cases/cases.js'
import type { Child } from '../../child/child.js'
import { holds, nameOf, present, same } from '../../checks/expect.js'
import { type Acknowledged, expectOneOrder } from '../../histories/history.js'
import { untyped } from '../../samples/methods.js'
import { programOf, runProgram, tellProgram } from '../../histories/programs.js'
import { expectProperty } from '../../samples/property.js'
import { appendOf, changeOf, sessionOf, toolCallOf, turnOf, turnsOf } from '../../samples/samples.js'

/** Four processes on the same data, if the store declares that sharing. */
export const processesGroup: Group = { title: 'Processes', define }

function define(cases: Cases): void {
  const { it, capabilities } = cases
  const options = {
    needs: 'child',
    skip: capabilities.sharing === 'process' && "the store's sharing is 'process'",
  } as const

  it(
    'noLostUpdate',
    'applies the appends of five processes exactly once, in one order',
    async bench => {
      const before = sessionOf('s', { turns: turnsOf(1) })
      await bench.store.saveSession(before)
      const children = await four(bench)
      const appends = [...children, null].flatMap((child, process) =>
        Array.from({ length: 16 }, async (_, index): Promise<Acknowledged> => {
          const turnId = `${process}-${index}`
          const change = appendOf(turnId, { prompt: `prompt of ${turnId}` })
          const result =
            child === null
              ? await bench.store.changeSession('s', change)
              : await child.call('changeSession', 's', json(change))
          return { turnId, revision: revisionOf(result) }
        }),
      )
      const acknowledged = await Promise.all(appends)
      expectOneOrder(acknowledged, present(await bench.store.loadSession('s'), 'the session'), before)
      for (const child of children) {
        same(
          await child.call('loadSession', 's'),
          json(await bench.store.loadSession('s')),
          'the session as each process sees it',
        )
      }
    },
    options,
  )

  it(
    'noLostUpdate',
    'lets exactly one of four processes win a conditional change, and a creation',
    async bench => {
      const children = await four(bench)
      for (let round = 0; round < 8; round++) {
        const id = `s${round}`
        const creators = children.map((child, index) =>
          child.call('saveSession', json(sessionOf(id, { metadata: { of: index } })), { ifRevision: 0 }),
        )
        same(await winners(creators), 1, 'how many of four create it')
        const change = (index: number) => json(changeOf({ setMetadata: { of: `winner ${index}` } }))
        const writers = children.map((child, index) =>
          child.call('changeSession', id, change(index), { ifRevision: 1 }),
        )
        same(await winners(writers), 1, 'how many of four change it')
        same((await bench.store.loadSummary(id))?.revision, 2, 'the revision after that')
      }
    },
    options,
  )

  it(
    'retry',
    'applies a turn once when four processes append it',
    async bench => {
      const children = await four(bench)
      await bench.store.saveSession(sessionOf('s'))
      for (let round = 0; round < 8; round++) {
        const results = await Promise.all(
          children.map(child => child.call('changeSession', 's', json(appendOf(`t${round}`)))),
        )
        same(new Set(results.map(revisionOf)), new Set([round + 2]), 'the revisions that four retries were given')
      }
      same(
        (await bench.store.readTurns('s', {}))?.turns.map(({ turnId }) => turnId),
        Array.from({ length: 8 }, (_, index) => `t${index}`),
        'the turns',
      )
    },
    options,
  )

  it(
    'noLostUpdate',
    'keeps all tool calls that four processes add to one turn',
    async bench => {
      const children = await four(bench)
      await bench.store.saveSession(sessionOf('s', { turns: [turnOf('t')] }))
      const put = (callId: string) =>
        json(changeOf({ updateTurns: [{ turnId: 't', putToolCalls: [toolCallOf(callId)] }] }))
      await Promise.all(
        children.flatMap((child, index) =>
          ['a', 'b', 'c', 'd'].map(call => child.call('changeSession', 's', put(`${index}${call}`))),
        ),
      )
      const [turn] = present(await bench.store.readTurns('s', {}), 'the turns').turns
      same(turn?.toolCalls.length, 16, 'how many tool calls are there')
    },
    options,
  )

  it(
    'noLostUpdate',
    'is linearizable for random programs of four processes',
    async bench => {
      const children = await four(bench)
      const callers = children.map(({ call }, index) => [`process ${index + 1}`, call] as const)
      const property = fc.asyncProperty(programOf(4, 6), async program => {
        for (const id of ['s', 'S']) await bench.store.deleteSession(id)
        await runProgram(program, callers)
      })
      await expectProperty(cases, property, { runs: 20, tell: tellProgram })
    },
    options,
  )

  it(
    'deleted',
    'lets a deleted session stay deleted while other processes change it',
    async bench => {
      const children = await four(bench)
      for (let round = 0; round < 8; round++) {
        await bench.store.saveSession(sessionOf('s', { metadata: { round } }))
        const changes = children.flatMap((child, index) =>
          ['a', 'b'].map(name => child.call('changeSession', 's', json(appendOf(`${name}${index}`)))),
        )
        const deleting = bench.store.deleteSession('s')
        for (const outcome of await Promise.allSettled(changes)) {
          if (outcome.status === 'rejected')
            holds(
              isTurnstoreError(outcome.reason, 'SESSION_NOT_FOUND'),
              `a change that is late: ${nameOf(outcome.reason)}`,
            )
        }
        same(await deleting, true, 'the delete')
        same(await bench.store.loadSession('s'), null, 'the session after that')
        for (const child of children)
          same(await child.call('loadSession', 's'), null, 'the session as each process sees it')
      }
    },
    options,
  )
}

function four(bench: Bench): Promise<Child[]> {
  return Promise.all(Array.from({ length: 4 }, () => bench.child()))
}

/** The number of calls that succeed. The others must fail with a conflict. */
async function winners(attempts: readonly Promise<unknown>[]): Promise<number> {
  const outcomes = await Promise.allSettled(attempts)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected')
      holds(isTurnstoreError(outcome.reason, 'REVISION_CONFLICT'), `those who lose: ${nameOf(outcome.reason)}`)
  }
  return outcomes.filter(({ status }) => status === 'fulfilled').length
}

function revisionOf(result: unknown): number {
  const revision: unknown =
    typeof result === 'object' && result !== null && 'revision' in result ? result.revision : undefined
  return typeof revision === 'number' ? revision : Number.NaN
}

/** Converts a value as if it were sent to a child and back. */
function json(value: unknown): JsonValue {
  return untyped(JSON.parse(JSON.stringify(value)))
}
