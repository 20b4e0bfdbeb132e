import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createSession,
  type SessionInput,
  type SessionRecord,
  replaySession,
  type TimelineEntry,
} from '../../src/index.ts'

const session = createSession({
  sessionId: 's',
  workspaceId: 'acme',
  agentId: 'front',
  createdAt: '2026-01-01T10:00:00Z',
  metadata: { lang: 'en' },
  turns: [
    {
      turnId: 'a',
      prompt: 'Where?',
      responseContent: 'There',
      toolCalls: [
        { callId: 'c1', toolName: 'track', arguments: { id: 1 }, result: { at: 'depot' } },
        { toolName: 'tell', status: 'error', error: 'offline' },
      ],
      startedAt: '2026-01-01T10:00:00Z',
      endedAt: '2026-01-01T10:01:00Z',
    },
    { turnId: 'b', agentId: 'back', prompt: 'Thanks', status: 'running', startedAt: '2026-01-01T10:02:00Z' },
  ],
  agentTransitions: [
    { fromAgent: 'front', toAgent: 'back', reason: 'busy', turnId: 'a', timestamp: '2026-01-01T10:00:30Z' },
    { toAgent: 'front', timestamp: '2026-01-01T10:01:30.5+00:00' },
  ],
})

function labels(entries: readonly TimelineEntry[]): string[] {
  return entries.map(entry => {
    if (entry.kind === 'tool-call') return `tool-call ${entry.toolCall.toolName}`
    return entry.kind === 'agent-transition'
      ? `agent-transition to ${entry.transition.toAgent}`
      : `${entry.kind} ${entry.turn.turnId}`
  })
}

function timelineOf(input: Omit<SessionInput, 'sessionId'>): string[] {
  return labels(replaySession(createSession(input)).timeline)
}

describe('a replay', () => {
  it('finds turns by index from either end, and by id', () => {
    const replay = replaySession(session)
    expect([replay.turn(0), replay.turn(-1), replay.turn('a'), replay.turn('b')].map(turn => turn?.turnId)).toEqual([
      'a',
      'b',
      'a',
      'b',
    ])
    expect([replay.turn(2), replay.turn('c'), replay.turn('0')]).toEqual([undefined, undefined, undefined])
  })

  it('finds the last turn if an old file contains an id twice, as a store does', () => {
    const replay = replaySession(
      createSession({
        turns: [
          { turnId: 'a', prompt: '1' },
          { turnId: 'a', prompt: '2' },
        ],
      }),
    )
    expect(replay.turn('a')?.prompt).toBe('2')
  })

  it('lists all tool calls and agent transitions', () => {
    const replay = replaySession(session)
    expect(replay.toolCalls.map(({ toolName }) => toolName)).toEqual(['track', 'tell'])
    expect(replay.transitions.map(({ toAgent }) => toAgent)).toEqual(['back', 'front'])
  })

  it('the timeline is in time order: turn start, tool calls, agent transition, turn end', () => {
    expect(labels(replaySession(session).timeline)).toEqual([
      'turn-start a',
      'tool-call track',
      'tool-call tell',
      'agent-transition to back',
      'turn-end a',
      'agent-transition to front',
      'turn-start b',
    ])
  })

  it('orders times as instants, in any time zone', () => {
    expect(
      timelineOf({
        turns: [
          { turnId: 'later', startedAt: '2026-01-01T12:00:00+01:00', endedAt: '2026-01-01T11:30:00Z' },
          { turnId: 'earlier', startedAt: '2026-01-01T10:59:59.999999', endedAt: '2026-01-01T11:15:00Z' },
        ],
      }),
    ).toEqual(['turn-start earlier', 'turn-start later', 'turn-end earlier', 'turn-end later'])
  })

  it('without times, the timeline keeps the recorded order', () => {
    expect(
      timelineOf({
        turns: [
          { turnId: 'a', toolCalls: [{ toolName: 'x' }] },
          { turnId: 'b', startedAt: 'yesterday' },
        ],
        agentTransitions: [{ toAgent: 'one', turnId: 'b' }, { toAgent: 'two' }, { toAgent: 'three', turnId: 'a' }],
      }),
    ).toEqual([
      'turn-start a',
      'tool-call x',
      'agent-transition to three',
      'turn-end a',
      'turn-start b',
      'agent-transition to one',
      'turn-end b',
      'agent-transition to two',
    ])
  })

  it('an event without a time follows the event recorded before it', () => {
    expect(
      timelineOf({
        turns: [
          { turnId: 'second', startedAt: '2026-01-02T00:00:00Z', toolCalls: [{ toolName: 'x' }] },
          { turnId: 'timeless', toolCalls: [{ toolName: 'y' }] },
          { turnId: 'first', startedAt: '2026-01-01T00:00:00Z', endedAt: '2026-01-01T00:01:00Z' },
        ],
      }),
    ).toEqual([
      'turn-start first',
      'turn-end first',
      'turn-start second',
      'tool-call x',
      'turn-end second',
      'turn-start timeless',
      'tool-call y',
      'turn-end timeless',
    ])
  })

  it('contains every event exactly once, in time order, for any times', () => {
    const time = fc.constantFrom('', 'x', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00', '2026-01-01T12:00:00-11:00')
    const turns = fc.array(
      fc.record({ startedAt: time, endedAt: fc.option(time), status: fc.constantFrom('running', 'success') }),
      { maxLength: 5 },
    )
    const transitions = fc.array(fc.record({ turnId: fc.constantFrom('', 't0', 't1', 'gone'), timestamp: time }), {
      maxLength: 4,
    })
    fc.assert(
      fc.property(turns, transitions, (turns, transitions) => {
        const record = createSession({
          turns: turns.map((turn, index) => ({ ...turn, turnId: `t${index}`, toolCalls: [{ toolName: 'f' }] })),
          agentTransitions: transitions.map(transition => ({ ...transition, toAgent: 'x' })),
        })
        const { timeline } = replaySession(record)
        const ends = turns.filter(({ endedAt, status }) => endedAt !== null || status !== 'running').length
        expect(timeline).toHaveLength(2 * turns.length + ends + transitions.length)
        const times = timeline
          .map(entry =>
            Date.parse(/^\d/.test(entry.time) ? entry.time.replace(/:00$/, ':00Z').replace(/(-11:00)Z$/, '$1') : ''),
          )
          .filter(each => !Number.isNaN(each))
        expect(times).toEqual(times.toSorted((a, b) => a - b))
      }),
    )
  })

  it('forAgent returns the turns of one agent and the agent transitions from and to it', () => {
    const front = replaySession(session).forAgent('front')
    expect(front.turns.map(({ turnId }) => turnId)).toEqual(['a'])
    expect(labels(front.timeline)).toEqual([
      'turn-start a',
      'tool-call track',
      'tool-call tell',
      'agent-transition to back',
      'turn-end a',
      'agent-transition to front',
    ])
    const back = replaySession(session).forAgent('back')
    expect([back.turns.length, back.transitions.length, back.toolCalls.length]).toEqual([1, 1, 0])
    expect(replaySession(session).forAgent('nobody').timeline).toEqual([])
  })

  it('is frozen and independent of the original record', () => {
    const record: SessionRecord = structuredClone(session)
    const replay = replaySession(record)
    const [turn] = record.turns
    if (turn !== undefined) turn.prompt = 'altered'
    record.turns.pop()
    expect(replay.turn(0)?.prompt).toBe('Where?')
    expect(replay.turns).toHaveLength(2)
    const parts: unknown[] = [
      replay,
      replay.session,
      replay.session.metadata,
      replay.turns,
      replay.turns[0],
      replay.toolCalls,
      replay.toolCalls[0]?.arguments,
      replay.transitions,
      replay.timeline,
      replay.timeline[0],
      replay.forAgent('front').turns,
    ]
    expect(parts.filter(part => !Object.isFrozen(part))).toEqual([])
  })
})

describe('Markdown', () => {
  it('shows the whole session', () => {
    expect(replaySession(session).toMarkdown()).toBe(
      `# Session \`s\`

- Workspace: \`acme\`
- Agent: \`front\`
- Created: \`2026-01-01T10:00:00Z\`
- Updated: \`2026-01-01T10:00:00Z\`

\`\`\`json
{
  "lang": "en"
}
\`\`\`

## Turn 1: \`a\`

- Status: \`success\`
- Started: \`2026-01-01T10:00:00Z\`
- Ended: \`2026-01-01T10:01:00Z\`

**Prompt**

\`\`\`
Where?
\`\`\`

### Tool call \`track\` (\`c1\`): \`success\`

\`\`\`json
{
  "id": 1
}
\`\`\`

**Result**

\`\`\`
{
  "at": "depot"
}
\`\`\`

### Tool call \`tell\` (\`a:1\`): \`error\`

\`\`\`json
{}
\`\`\`

**Error**

\`\`\`
offline
\`\`\`

- Agent transition from \`front\` to \`back\`: \`busy\`

**Response**

\`\`\`
There
\`\`\`

## Turn 2: \`b\`

- Status: \`running\`
- Agent: \`back\`
- Started: \`2026-01-01T10:02:00Z\`

**Prompt**

\`\`\`
Thanks
\`\`\`

## Agent transitions

- Agent transition to \`front\`
`,
    )
  })

  it('ids with backticks stay code spans', () => {
    const markdown = replaySession(createSession({ sessionId: 'a``b`', workspaceId: '`' })).toMarkdown()
    expect(markdown).toContain('# Session ``` a``b` ```\n')
    expect(markdown).toContain('- Workspace: `` ` ``\n')
  })

  it('content cannot break out of its place with fences, headings or control characters', () => {
    const evil = fc
      .array(
        fc.constantFrom(
          '`',
          '```',
          '\n',
          '\r',
          '# x',
          '~~~',
          '</pre>',
          ' ',
          '\u001b[2J',
          '\u009b1m',
          '\u202e',
          'a',
          '- b',
          '\u2028',
        ),
        { maxLength: 8 },
      )
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(evil, text => {
        const lines = replaySession(
          createSession({
            sessionId: 's',
            metadata: { [text]: text },
            turns: [
              {
                turnId: text,
                agentId: text,
                prompt: text,
                responseContent: text,
                error: text,
                status: text,
                toolCalls: [
                  {
                    callId: text,
                    toolName: text,
                    arguments: { [text]: text },
                    result: text,
                    error: text,
                    metadata: { argumentsText: text },
                  },
                ],
              },
            ],
            agentTransitions: [{ fromAgent: text, toAgent: text, reason: text, turnId: text }],
          }),
        )
          .toMarkdown()
          .split('\n')
        // As in CommonMark, only a line of at least as many backticks closes a fence.
        const outside: string[] = []
        let fence: string | null = null
        for (const line of lines) {
          const marks: string | undefined = /^ {0,3}(`{3,})/.exec(line)?.[1]
          if (fence === null && marks !== undefined) fence = marks
          else if (fence === null) outside.push(line)
          else if (marks !== undefined && marks.length >= fence.length && line.trim() === marks) fence = null
        }
        expect(fence).toBe(null)
        const known =
          /^(|# Session .*|## Turn 1: .*|### Tool call .*|\*\*(Prompt|Response|Error|Result)\*\*|- (Status|Agent|Created|Updated): .*|- Agent transition.*)$/
        expect(outside.filter(line => !known.test(line))).toEqual([])
        expect(outside.filter(line => /^#+ /.test(line))).toHaveLength(3)
        // oxlint-disable-next-line no-control-regex -- matches control characters on purpose
        expect(lines.join('\n')).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e]/)
      }),
      { numRuns: 300 },
    )
  })
})
