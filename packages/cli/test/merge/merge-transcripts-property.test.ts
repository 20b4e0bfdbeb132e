import fc from 'fast-check'
import {
  createSession,
  messagesFromTurns,
  NO_RESULT,
  type SessionRecord,
  turnsFromMessages,
  mergeSession,
} from '@turnstore/core'
import { InMemorySessionStore } from '@turnstore/memory'
import { expect, it } from 'vitest'
import { thoroughness } from '../../../../scripts/testing/machine.ts'

/*
 * A conversation is imported repeatedly while it grows, and its turns are annotated in between.
 */

const numRuns = 150 * thoroughness

type Message = Record<string, unknown>

const text = fc.constantFrom('Tea?', 'Let me look', '', 'Here')
const content = fc.oneof(
  text,
  text.map(said => [
    { type: 'text', text: said },
    { type: 'image_url', image_url: { url: `data:${said}` } },
  ]),
)
const id = fc.constantFrom('a', 'b', 'c')
const toolCalls = fc
  .uniqueArray(id, { minLength: 1, maxLength: 3 })
  .map(ids => ids.map(each => ({ id: each, type: 'function', function: { name: 'f', arguments: fcArguments(each) } })))

function fcArguments(of: string): string {
  return of === 'b' ? '{ "a": 1 }' : of === 'c' ? '{"a":' : '{}'
}

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ role: fc.constantFrom('user', 'assistant'), content }),
  fc.record({ role: fc.constant('assistant'), content: fc.oneof(content, fc.constant(null)), tool_calls: toolCalls }),
  fc.record({ role: fc.constant('tool'), tool_call_id: id, content: fc.oneof(content, fc.constant(null)) }),
  fc.record({ role: fc.constant('tool'), tool_call_id: id, content: text, name: fc.constantFrom('f', 'other') }),
  fc.record({ role: fc.constant('system'), content: text }),
)

function transcript(messages: readonly Message[]): SessionRecord {
  const turns = turnsFromMessages(messages, { onProblem: () => {} })
  return createSession({ sessionId: 's', createdAt: '', updatedAt: '', turns })
}

it('importing a transcript at any lengths, in any order, ends in the same state as importing it at once', async () => {
  const lengths = fc.array(fc.record({ part: fc.double({ min: 0, max: 1, noNaN: true }), annotated: fc.nat(3) }))
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 12 }), lengths, async (messages, stages) => {
      const store = new InMemorySessionStore()
      const annotations = new Set<string>()
      const bring = async (length: number): Promise<void> => {
        expect((await mergeSession(store, transcript(messages.slice(0, length)))).contradictions).toEqual([])
      }
      for (const { part, annotated } of stages) {
        await bring(Math.round(part * messages.length))
        const turn = (await store.loadSession('s'))?.turns[annotated]
        if (turn === undefined) continue
        annotations.add(turn.turnId)
        // A response recorded live equals the one in the transcript.
        const whole = transcript(messages).turns[annotated]?.toolCalls ?? []
        const putToolCalls = turn.toolCalls.flatMap((call, index) => {
          const { status = 'running', result = null } = whole[index] ?? {}
          return call.status === 'running' && status === 'success' ? [{ ...call, status, result, durationMs: 1 }] : []
        })
        const set = {
          metadata: { ...turn.metadata, rating: 5 },
          auditEventIds: ['e'],
          startedAt: '2026-01-01T00:00:00Z',
        }
        await store.changeSession('s', { updateTurns: [{ turnId: turn.turnId, set, putToolCalls }], updatedAt: '' })
      }
      await bring(messages.length)
      const turns = (await store.loadSession('s'))?.turns ?? []
      expect(messagesFromTurns(turns, { exact: true })).toEqual(
        messagesFromTurns(transcript(messages).turns, { exact: true }),
      )
      for (const { turnId, metadata, auditEventIds } of turns) {
        const isAnnotated = annotations.has(turnId)
        expect([metadata.rating, auditEventIds]).toEqual(isAnnotated ? [5, ['e']] : [undefined, []])
      }
    }),
    { numRuns },
  )
})

it('a different transcript with the same id removes nothing from the target', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { maxLength: 6 }),
      fc.array(message, { maxLength: 6 }),
      fc.array(message, { maxLength: 6 }),
      async (shared, mine, theirs) => {
        const store = new InMemorySessionStore()
        await mergeSession(store, transcript([...shared, ...mine]))
        const before = said((await store.loadSession('s'))?.turns)
        const incoming = transcript([...shared, ...theirs])
        const { contradictions } = await mergeSession(store, incoming)
        const now = await store.loadSession('s')
        const after = said(now?.turns)
        let from = 0
        for (const each of before) {
          const place = after.findIndex((other, index) => index >= from && isStillIn(each, other))
          expect([each, place]).not.toEqual([each, -1])
          from = place + 1
        }
        expect(await mergeSession(store, incoming)).toEqual({ outcome: 'unchanged', contradictions })
      },
    ),
    { numRuns },
  )
})

/** Without placeholders for results that are still missing. */
function said(turns: SessionRecord['turns'] = []): object[] {
  return messagesFromTurns(turns, { exact: true }).filter(
    ({ role, content }) => role !== 'tool' || content !== NO_RESULT,
  )
}

/** Compares member by member; text may have grown. */
function isStillIn(before: unknown, after: unknown): boolean {
  if (before === null || before === after) return true
  // Text may have gained an image.
  if (typeof before === 'string' && Array.isArray(after)) return JSON.stringify(after).includes(before)
  if (typeof before === 'string') return typeof after === 'string' && after.startsWith(before)
  if (typeof before !== 'object' || typeof after !== 'object' || after === null) return false
  return Object.entries(before).every(([key, value]) => isStillIn(value, Reflect.get(after, key)))
}
