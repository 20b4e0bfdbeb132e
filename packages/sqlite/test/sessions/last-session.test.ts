import { isTurnstoreError, type SessionStore } from '@turnstore/core'
import { InMemorySessionStore } from '@turnstore/memory'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { thoroughness } from '../../../../scripts/testing/machine.ts'
import { append, outcomesOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

type Step = (store: SessionStore) => Promise<unknown>

const time = (second: number): string => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString()

/** A call to one of two sessions, mostly to the first. */
const steps: fc.Arbitrary<Step> = fc
  .record({
    sessionId: fc.constantFrom('s', 's', 's', 'other'),
    kind: fc.constantFrom(
      'append',
      'append',
      'append',
      'append',
      'step',
      'step',
      'rewind',
      'end',
      'agent',
      'transition',
      'save',
      'delete',
    ),
    number: fc.nat(40),
    second: fc.nat(100),
    options: fc.constantFrom(
      {},
      {},
      {},
      { idempotencyKey: 'key' },
      { workspaceId: 'acme' },
      { workspaceId: 'another' },
      { ifRevision: 3 },
    ),
  })
  .map(({ sessionId, kind, number, second, options }): Step => {
    const updatedAt = time(second)
    const turns = [{ turnId: `t${number}`, prompt: kind }]
    if (kind === 'delete') return store => store.deleteSession(sessionId)
    if (kind === 'save') return store => store.saveSession({ sessionId, workspaceId: 'acme', turns, updatedAt })
    const change = {
      append: { appendTurns: turns },
      step: {
        updateTurns: [{ turnId: `t${number % 4}`, putToolCalls: [{ callId: 'c', toolName: 'f', result: second }] }],
      },
      rewind: { keepTurns: number % 5, appendTurns: turns },
      end: { setMetadata: { ended: number % 2 === 0 }, appendTurns: turns },
      agent: { agentId: `agent ${number % 3}` },
      transition: { appendAgentTransitions: [{ toAgent: 'b', turnId: `t${number}` }] },
    }[kind]
    return store => store.changeSession(sessionId, { ...change, updatedAt }, options)
  })

const codeOr = (outcome: unknown): unknown => (isTurnstoreError(outcome) ? outcome.code : outcome)

it(
  'the cached session never hides what other stores change',
  async () => {
    let path = 0
    const groups = fc.array(
      fc.record({ store: fc.constantFrom(0, 0, 1), steps: fc.array(steps, { minLength: 1, maxLength: 3 }) }),
      {
        minLength: 5,
        maxLength: 40,
      },
    )
    await fc.assert(
      fc.asyncProperty(groups, async calls => {
        const database = folder.path(`${path++}.db`)
        const stores = [0, 1].map(() => folder.open({ durability: 'process-crash' }, database))
        const model = new InMemorySessionStore()
        for (const { store: index, steps: together } of calls) {
          const store = stores[index]
          if (store === undefined) continue
          const outcomes = await outcomesOf(together.map(step => step(store)))
          const expected: unknown[] = []
          for (const step of together) expected.push(...(await outcomesOf([step(model)])))
          expect(outcomes.map(codeOr)).toStrictEqual(expected.map(codeOr))
          expect(await store.readTurns('s', { last: 2 })).toStrictEqual(await model.readTurns('s', { last: 2 }))
        }
        for (const sessionId of ['s', 'other']) {
          expect(await stores[0]?.loadSession(sessionId)).toStrictEqual(await model.loadSession(sessionId))
        }
        for (const query of [{}, { ended: true }, { orderBy: 'createdAt' as const }]) {
          expect(await stores[1]?.querySessions(query)).toStrictEqual(await model.querySessions(query))
        }
        expect(await stores[0]?.checkIntegrity()).toStrictEqual({ ok: true, problems: [] })
        for (const store of stores) await store.close()
      }),
      { numRuns: 15 * thoroughness },
    )
  },
  120_000 * thoroughness,
)

it('changes by others are read', async () => {
  const [one, two] = [folder.open(), folder.open()]
  await one.saveSession({ sessionId: 's', workspaceId: 'acme' })
  await one.changeSession('s', append('a'))
  await two.changeSession('s', append('b'))
  const range = { last: 1 }
  expect(await one.readTurns('s', range)).toMatchObject({ turns: [{ turnId: 'b' }], firstIndex: 1, turnCount: 2 })
  await one.changeSession('s', append('c'))
  expect(await one.readTurns('s', range, { workspaceId: 'another' })).toBe(null)
  await two.deleteSession('s')
  expect(await one.readTurns('s', range)).toBe(null)
})

it('a rollback clears the cache', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's' })
  folder.handle().exec(`CREATE TRIGGER of_owner BEFORE INSERT ON turnstore_turns WHEN NEW.body LIKE '%refused%'
    BEGIN SELECT RAISE(ABORT, 'not here'); END`)
  await store.changeSession('s', append('a'))
  const calls = ['b', 'refused', 'c'].map(turnId => store.changeSession('s', append(turnId)))
  expect((await outcomesOf(calls)).map(codeOr)).toMatchObject([{ turnCount: 2 }, 'CORRUPT_SESSION', { turnCount: 3 }])
  expect(await store.changeSession('s', append('d'))).toMatchObject({ revision: 5, turnCount: 4 })
  expect(turnIdsOf(await store.loadSession('s'))).toStrictEqual(['a', 'b', 'c', 'd'])
})

it('a change of the agent does not reopen an ended session', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's' })
  await store.changeSession('s', { setMetadata: { ended: true }, updatedAt: time(1) })
  await store.changeSession('s', { agentId: 'a', updatedAt: time(2) })
  expect((await store.querySessions({ ended: true })).sessions).toHaveLength(1)
})

it('nothing is cached for a shared handle, since its owner may write with it', async () => {
  const database = folder.shared()
  database.pragma('journal_mode = WAL')
  const [one, two] = [folder.open({}, database), folder.open({}, database)]
  await one.saveSession({ sessionId: 's' })
  const counts: number[] = []
  for (const [index, store] of [one, two, one, two, one].entries()) {
    counts.push((await store.changeSession('s', append(`t${index}`))).turnCount)
  }
  expect(counts).toStrictEqual([1, 2, 3, 4, 5])
})
