import {
  createSession,
  type SessionInput,
  type SessionRecord,
  type ToolCallInput,
  type TurnInput,
  mergeSession,
  mergeRecords,
} from '@turnstore/core'
import { InMemorySessionStore } from '@turnstore/memory'
import { describe, expect, it } from 'vitest'

/*
 * The rules of the table in the README.
 */

const time = '2026-01-01T10:00:00Z'

function session(more: Partial<SessionInput> = {}): SessionRecord {
  return createSession({ sessionId: 's', createdAt: time, updatedAt: time, ...more })
}

function turn(more: TurnInput = {}): SessionRecord {
  return session({ turns: [{ turnId: 't', prompt: 'Tea?', startedAt: time, ...more }] })
}

function call(more: Partial<ToolCallInput> = {}): SessionRecord {
  return turn({ toolCalls: [{ callId: 'c', toolName: 'find', arguments: { q: 1 }, ...more }] })
}

describe('merging into the target', () => {
  const open = { status: 'running' }
  const done = { status: 'success', result: 'x', durationMs: 3 }
  const end = { status: 'error', error: 'e', endedAt: time }

  it.each<[string, SessionRecord, SessionRecord]>([
    [
      'a value where the target has none',
      session(),
      session({ agentId: 'a', parentSessionId: 'p', metadata: { k: 1 } }),
    ],
    [
      'a value where the target has an empty one',
      turn({ agentId: null }),
      turn({ agentId: 'a', auditEventIds: ['e'] }),
    ],
    ['the outcome of a running call', call(open), call(done)],
    ['the end of a running turn', turn(open), turn(end)],
    ['more of a response', turn({ ...open, responseContent: 'Ye' }), turn({ ...open, responseContent: 'Yes' })],
    ['more of the arguments of a running call', call({ ...open, arguments: {} }), call(open)],
    ['a call', turn(), call(done)],
    ['an agent transition', session(), session({ agentTransitions: [{ transitionId: 'x', toAgent: 'a' }] })],
    ['an item', turn(), turn({ items: [{ itemId: 'i', format: 'f', value: 1 }] })],
    ['unknown members', turn(), turn({ extra: { new: 1 } })],
    ['unknown members called items', turn(), turn({ extra: { items: 'other' } })],
  ])('%s: added, and never removed by a source that lacks it', (_what, less, more) => {
    expect(mergeRecords(less, more)).toEqual({ merged: more, contradictions: [] })
    expect(mergeRecords(more, less)).toEqual({ merged: more, contradictions: [] })
  })

  it.each<[string, SessionRecord, SessionRecord, string[]]>([
    ['agents', session({ agentId: 'a' }), session({ agentId: 'b' }), ['its agent']],
    ['parents', session({ parentSessionId: 'a' }), session({ parentSessionId: 'b' }), ['its parent']],
    ['metadata', session({ metadata: { k: 1 } }), session({ metadata: { k: 2 } }), ['its metadata']],
    ['results', call(done), call({ ...done, result: 'y' }), ['turn 1 (t): the result of call c']],
    ['ends of a call', call(done), call({ status: 'error', error: 'e' }), ['turn 1 (t): the status of call c']],
    ['arguments', call(done), call({ ...done, arguments: { q: 2 } }), ['turn 1 (t): the arguments of call c']],
    [
      'arguments of a running call',
      call(open),
      call({ ...done, arguments: { q: 2 } }),
      ['turn 1 (t): the arguments of call c'],
    ],
    ['tools', call(done), call({ ...done, toolName: 'g' }), ['turn 1 (t): the tool of call c']],
    [
      'items',
      turn({ items: [{ itemId: 'i', format: 'f', value: 1 }] }),
      turn({ items: [{ itemId: 'i', format: 'f', value: 2 }] }),
      ['turn 1 (t): item i'],
    ],
    [
      'things called items',
      turn({ items: [{ itemId: 'i', format: 'f', value: 1 }] }),
      turn({ extra: { items: 'other' } }),
      ['turn 1 (t): its items'],
    ],
    [
      'items, where the target has something else under that name',
      turn({ extra: { items: 'other', more: 1 } }),
      turn({ items: [{ itemId: 'i', format: 'f', value: 1 }] }),
      ['turn 1 (t): its items'],
    ],
    ['ends', turn(end), turn({ status: 'cancelled' }), ['turn 1 (t): its status']],
    ['responses', turn({ responseContent: 'Yes' }), turn({ responseContent: 'Yes, no' }), ['turn 1 (t): its response']],
    ['prompts', turn(), turn({ prompt: 'Milk?', responseContent: 'x' }), ['turn 1 (t), which has another prompt']],
    ['agents of a turn', turn({ agentId: 'a' }), turn({ agentId: 'b' }), ['turn 1 (t), which has another agent']],
    [
      'agent transitions',
      session({ agentTransitions: [{ transitionId: 'x', toAgent: 'a' }] }),
      session({ agentTransitions: [{ transitionId: 'x', toAgent: 'b' }] }),
      ['agent transition x'],
    ],
  ])('different %s: reported, and the target keeps its own', (_what, stored, incoming, contradictions) => {
    expect(mergeRecords(stored, incoming)).toEqual({ merged: stored, contradictions })
  })

  it('times never contradict', () => {
    const later = '2026-02-01T10:00:00Z'
    const incoming = session({
      createdAt: later,
      updatedAt: later,
      turns: [{ turnId: 't', prompt: 'Tea?', startedAt: later }],
    })
    expect(mergeRecords(turn(), incoming)).toEqual({ merged: { ...turn(), updatedAt: later }, contradictions: [] })
  })

  it('if a turn is a different one, no later turn or agent transition is added', () => {
    const before = [
      { turnId: 'a', prompt: 'Tea?' },
      { turnId: 'b', prompt: 'Black?' },
    ]
    const stored = session({ turns: before })
    const incoming = session({
      turns: [{ turnId: 'a', prompt: 'Tea?' }, { turnId: 'b', prompt: 'Green?' }, { turnId: 'c' }],
      agentTransitions: [{ toAgent: 'x', turnId: 'c' }],
      metadata: { k: 1 },
    })
    expect(mergeRecords(stored, incoming)).toEqual({
      merged: { ...stored, metadata: { k: 1 } },
      contradictions: ['turn 2 (b), which has another prompt'],
    })
  })

  it('escapes control characters in ids and truncates long ids', () => {
    const toolCalls = [{ callId: `\u001b[31m${'x'.repeat(200)}`, toolName: 'f', result: 'a' }]
    const other = toolCalls.map(each => ({ ...each, result: 'b' }))
    const [where] = mergeRecords(turn({ toolCalls }), turn({ toolCalls: other })).contradictions
    expect(where).toMatch(/^turn 1 \(t\): the result of call ␛\[31mx{75}…$/)
  })
})

describe('the write', () => {
  class Watched extends InMemorySessionStore {
    readonly writes: string[] = []

    override saveSession(...args: Parameters<InMemorySessionStore['saveSession']>): Promise<number> {
      this.writes.push('save')
      return super.saveSession(...args)
    }

    override changeSession(
      ...args: Parameters<InMemorySessionStore['changeSession']>
    ): ReturnType<InMemorySessionStore['changeSession']> {
      this.writes.push('change')
      return super.changeSession(...args)
    }
  }

  const twice = ['t', 't'].map((turnId, index) => ({ turnId, prompt: `${index}` }))
  it.each<[string, SessionRecord, string[]]>([
    ['nothing if nothing is missing', turn(), []],
    ['a change if a change can express it', turn({ auditEventIds: ['e'] }), ['change']],
    ['the whole record for what no change can express', { ...turn(), extra: { new: 1 } }, ['save']],
    ['the whole record for a turn between others', session({ turns: [{ turnId: 'a' }, ...turn().turns] }), ['save']],
    ['the whole record for a duplicate id', session({ turns: [...turn().turns, ...twice.slice(1)] }), ['save']],
  ])('is %s', async (_what, incoming, writes) => {
    const store = new Watched()
    await store.saveSession(turn())
    await mergeSession(store, incoming)
    await mergeSession(store, incoming)
    expect(store.writes.slice(1)).toEqual(writes)
    expect(await store.loadSession('s')).toEqual({ ...incoming, revision: 1 + writes.length })
  })
})
