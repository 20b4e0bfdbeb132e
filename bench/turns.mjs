/** Turns of 2.3 KB of JSON with two tool calls, no two alike: one object again and again would flatter JSON. */
const shapes = Array.from({ length: 500 }, (_, index) => ({
  agentId: 'agent-1',
  prompt: words(index, 105),
  responseContent: words(index * 7, 155),
  toolCalls: [0, 1].map(call => ({
    callId: `call-${index}-${call}`,
    toolName: 'search',
    arguments: { query: words(index + call, 6), limit: index % 50, flags: [true, false, null] },
    result: { hits: Array.from({ length: 4 }, (_, hit) => ({ id: index * 10 + hit, title: words(hit + index, 6) })) },
    durationMs: index / 7,
  })),
  metadata: { usage: { input: index * 3, output: index } },
}))

/** The same turns as our stores write them, for those who write them by hand. */
const wireShapes = shapes.map(shape => ({
  turn_id: '',
  agent_id: shape.agentId,
  prompt: shape.prompt,
  response_content: shape.responseContent,
  tool_calls: shape.toolCalls.map(call => ({
    call_id: call.callId,
    tool_name: call.toolName,
    arguments: call.arguments,
    result: call.result,
    status: 'success',
    error: null,
    duration_ms: call.durationMs,
    sandbox_context: null,
    metadata: {},
  })),
  started_at: '',
  ended_at: null,
  status: 'success',
  error: null,
  audit_event_ids: [],
  metadata: shape.metadata,
}))

function words(seed, count) {
  return Array.from({ length: count }, (_, at) => ((seed * 31 + at * 7919) % 99991).toString(36)).join(' ')
}

const startedAt = '2026-01-01T00:00:00Z'
let taken = 0

/** The next turn, as our stores take it. */
export function turn() {
  taken++
  return { ...shapes[taken % shapes.length], turnId: `turn-${taken}`, startedAt }
}

/** The next turn as the JSON object that is stored. */
export function wireTurn() {
  taken++
  return { ...wireShapes[taken % shapes.length], turn_id: `turn-${taken}`, started_at: startedAt }
}

export const many = (count, make) => Array.from({ length: count }, make)

let clock = Date.UTC(2026, 0, 1)
export const now = () => new Date(++clock).toISOString()

export function append(store, sessionId, count = 1) {
  return store.changeSession(sessionId, { appendTurns: many(count, turn), updatedAt: now() })
}

export async function fill(store, sessionId, count) {
  await store.saveSession({ sessionId })
  for (let done = 0; done < count; done += 1000) await append(store, sessionId, Math.min(1000, count - done))
}
