/** Turns of 2.3 KB with two tool calls, no two alike: one object again and again would flatter JSON. */
const shapes = Array.from({ length: 500 }, (_, index) => ({
  agentId: 'agent-1',
  prompt: words(index, 60),
  responseContent: words(index * 7, 90),
  toolCalls: [0, 1].map(call => ({
    callId: `call-${index}-${call}`,
    toolName: 'search',
    arguments: { query: words(index + call, 6), limit: index % 50, flags: [true, false, null] },
    result: { hits: Array.from({ length: 4 }, (_, hit) => ({ id: index * 10 + hit, title: words(hit + index, 6) })) },
    durationMs: index / 7,
  })),
  metadata: { usage: { input: index * 3, output: index } },
}))

function words(seed, count) {
  return Array.from({ length: count }, (_, at) => ((seed * 31 + at * 7919) % 99991).toString(36)).join(' ')
}

let turns = 0
export function turn() {
  turns++
  return { ...shapes[turns % shapes.length], turnId: `turn-${turns}`, startedAt: '2026-01-01T00:00:00Z' }
}

let clock = Date.UTC(2026, 0, 1)
export const now = () => new Date(++clock).toISOString()

export function append(store, sessionId, count = 1) {
  return store.changeSession(sessionId, { appendTurns: Array.from({ length: count }, turn), updatedAt: now() })
}

export async function fill(store, sessionId, count) {
  await store.saveSession({ sessionId })
  for (let done = 0; done < count; done += 1000) await append(store, sessionId, Math.min(1000, count - done))
}
