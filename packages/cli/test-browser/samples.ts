import type { SessionInput, SessionStore, ToolCallInput } from '@turnstore/core'

/*
 * Sessions for the tests in a browser and for the screenshots. Everything in them is invented.
 */

type Turns = NonNullable<SessionInput['turns']>

/** A moment of an invented day. */
function at(minutes: number, seconds = 0): string {
  return new Date(Date.UTC(2026, 5, 3, 9, minutes, seconds)).toISOString()
}

/** A red dot, 5 by 5 pixels. */
export const DOT =
  'iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg=='

/** A conversation as a support agent has it: tools, an agent transition, an error, an image, a turn that runs. */
export const parcel: SessionInput = {
  sessionId: 'support-2026-06-03-7f3a',
  workspaceId: 'acme',
  agentId: 'triage',
  createdAt: at(0),
  updatedAt: at(14),
  metadata: { title: 'Parcel 4471 did not arrive', channel: 'web', score: 4 },
  turns: [
    {
      turnId: 'turn-1',
      agentId: 'triage',
      prompt:
        'Hi, my parcel with the tea set should have come on Monday. The tracking page says “in transit”. Order 4471.',
      responseContent:
        'I found order 4471. The carrier scanned the parcel at its depot in Leeds this morning, so it is late but not lost.\n\nShall I hand you over to a colleague who can offer a new delivery date?',
      status: 'success',
      startedAt: at(0),
      endedAt: at(0, 9),
      toolCalls: [
        {
          callId: 'call-1',
          toolName: 'find_order',
          arguments: { order: 4471, fields: ['status', 'carrier', 'address'] },
          result: { status: 'shipped', carrier: 'northpost', items: [{ sku: 'TEA-SET-6', count: 1 }] },
          status: 'success',
          durationMs: 412,
        },
        {
          callId: 'call-2',
          toolName: 'track_parcel',
          arguments: { carrier: 'northpost', number: 'NP 55 0193 882' },
          result: { events: [{ at: at(-90), place: 'Leeds', what: 'arrived at depot' }] },
          status: 'success',
          durationMs: 4180,
        },
      ],
    },
    {
      turnId: 'turn-2',
      agentId: 'triage',
      prompt: 'Yes please.',
      responseContent: 'Of course. Mara takes over from here.',
      status: 'success',
      startedAt: at(2),
      endedAt: at(2, 3),
    },
    {
      turnId: 'turn-3',
      agentId: 'delivery',
      prompt: 'Could it come on Friday, after five? And here is a photo of my door, the bell is broken.',
      responseContent: null,
      status: 'error',
      error: 'northpost: 503 Service Unavailable after 3 attempts',
      startedAt: at(5),
      endedAt: at(5, 41),
      toolCalls: [
        {
          callId: 'call-3',
          toolName: 'read_photo',
          arguments: { image: 1 },
          result: [
            { type: 'text', text: 'A green door with a brass bell.' },
            { type: 'image', data: DOT, mimeType: 'image/png' },
          ],
          status: 'success',
          durationMs: 1730,
        },
        {
          callId: 'call-4',
          toolName: 'offer_slots',
          arguments: { carrier: 'northpost', after: '2026-06-05T17:00' },
          status: 'error',
          error: 'northpost: 503 Service Unavailable',
          durationMs: 30_200,
        },
      ],
      items: [{ itemId: 'item-1', format: 'chat', value: { role: 'user', content: 'Could it come on Friday?' } }],
    },
    {
      turnId: 'turn-4',
      agentId: 'delivery',
      prompt: 'Shall I try again later?',
      responseContent:
        'No need: the carrier answers again. Friday between 17:00 and 20:00 is free, and I have told the driver to knock. You will get a message an hour before.',
      status: 'success',
      startedAt: at(13),
      endedAt: at(13, 22),
      toolCalls: [
        {
          callId: 'call-5',
          toolName: 'offer_slots',
          arguments: { carrier: 'northpost', after: '2026-06-05T17:00' },
          result: { slots: ['2026-06-05T17:00/20:00'] },
          status: 'success',
          durationMs: 2210,
        },
        {
          callId: 'call-6',
          toolName: 'book_slot',
          arguments: { slot: '2026-06-05T17:00/20:00', note: 'Bell is broken, please knock' },
          result: 'booked',
          status: 'success',
          durationMs: 940,
        },
      ],
    },
  ],
  agentTransitions: [
    {
      transitionId: 'transition-1',
      fromAgent: 'triage',
      toAgent: 'delivery',
      reason: 'The customer wants a new delivery date',
      turnId: 'turn-2',
      timestamp: at(2, 3),
    },
  ],
}

const fork: SessionInput = {
  ...parcel,
  sessionId: 'support-2026-06-03-7f3a-fork',
  parentSessionId: parcel.sessionId,
  metadata: { title: 'Parcel 4471, with a refund instead' },
  updatedAt: at(16),
  turns: [
    ...(parcel.turns ?? []).slice(0, 2),
    {
      turnId: 'turn-3b',
      prompt: 'I would rather have my money back.',
      responseContent: 'Refunded.',
      status: 'success',
      startedAt: at(16),
      endedAt: at(16, 4),
    },
  ],
}

const others: readonly SessionInput[] = [
  plain(
    'nightly-report-0603',
    'Nightly report: sales by region',
    'Summarise yesterday’s sales by region.',
    'success',
    18,
  ),
  plain('review-pr-2291', 'Review of pull request 2291', 'Review the diff and point out races.', 'running', 22),
  plain('chat-café-5', 'おすすめの紅茶は何ですか', '冬に合う紅茶を三つ教えてください。', 'success', 21),
  plain('chat-rtl-2', 'أين طردي؟', 'أين طردي رقم 4471؟ كان يجب أن يصل يوم الاثنين.', 'success', 20),
  plain(
    'import-2026-06-03T08:59:58.123Z~1a2b3c4d5e6f7a8b-with-a-very-long-identifier-that-does-not-fit#7',
    '',
    'Which invoices are overdue?',
    'interrupted',
    12,
  ),
  plain('triage-88', 'Login fails on Firefox', 'I cannot log in since the update.', 'cancelled', 10),
]

function plain(sessionId: string, title: string, prompt: string, status: string, minute: number): SessionInput {
  const metadata = title === '' ? {} : { title }
  const endedAt = status === 'running' ? null : at(minute, 7)
  const turn = { turnId: 'turn-1', prompt, responseContent: status === 'success' ? 'Done.' : null, status }
  return {
    sessionId,
    agentId: 'assistant',
    createdAt: at(minute),
    updatedAt: at(minute, 7),
    metadata,
    turns: [{ ...turn, startedAt: at(minute), endedAt }],
  }
}

export const samples: readonly SessionInput[] = [parcel, fork, ...others]

export async function saveSamples(store: SessionStore): Promise<void> {
  for (const session of samples) await store.saveSession(session)
}

/** A session of many turns of different heights. */
export function longSession(sessionId: string, count: number): SessionInput {
  const turns = Array.from({ length: count }, (_, index) => ({
    turnId: `turn-${index}`,
    prompt: `Question ${index}: ${'and so on '.repeat(index % 23)}`,
    responseContent: `Answer ${index}. ${'More of it.\n'.repeat(index % 11)}`,
    status: 'success',
    startedAt: new Date(Date.UTC(2026, 0, 1) + index * 60_000).toISOString(),
    endedAt: new Date(Date.UTC(2026, 0, 1) + index * 60_000 + 20_000).toISOString(),
  }))
  return { sessionId, metadata: { title: 'A long one' }, createdAt: at(0), updatedAt: at(1), turns }
}

/** A session whose only turn has so many tool calls. */
export function busySession(sessionId: string, count: number): SessionInput {
  const toolCalls = Array.from({ length: count }, (_, index) => ({
    callId: `call-${index}`,
    toolName: `tool_${index % 7}`,
    arguments: { index },
    result: `Result ${index}`,
    status: 'success',
    durationMs: index % 900,
  }))
  return { sessionId, createdAt: at(0), updatedAt: at(2), turns: [turnWith(toolCalls)] }
}

function turnWith(toolCalls: readonly ToolCallInput[]): Turns[number] {
  return {
    turnId: 'turn-1',
    prompt: 'Do it all.',
    responseContent: 'All done.',
    status: 'success',
    startedAt: at(0),
    endedAt: at(2),
    toolCalls,
  }
}

export const hostileText =
  '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> javascript:alert(1) https://evil.example/ \u001b[31mred\u001b[0m \u202Egnp.exe\u202C \u2066x\u2069 \u0000 {{7*7}} ${7*7}'

/** The same text wherever a session may have text. */
export const hostile: SessionInput = {
  sessionId: 'hostile</a><script>window.hacked=1</script>',
  workspaceId: '"><svg onload=window.hacked=1>',
  agentId: '<b>agent</b>',
  createdAt: at(0),
  updatedAt: at(30),
  metadata: {
    title: hostileText,
    __proto__x: hostileText,
    '<img src=x onerror=window.hacked=1>': { html: hostileText },
  },
  turns: [
    {
      turnId: '<i>turn</i>',
      prompt: hostileText,
      responseContent: hostileText,
      status: '<u>status</u>',
      error: hostileText,
      startedAt: '<b>then</b>',
      endedAt: 'javascript:alert(1)',
      toolCalls: [
        {
          callId: '<i>call</i>',
          toolName: hostileText,
          arguments: { html: hostileText, url: 'javascript:alert(1)' },
          result: [
            hostileText,
            'data:text/html;base64,PHNjcmlwdD53aW5kb3cuaGFja2VkPTE8L3NjcmlwdD4=',
            'data:image/svg+xml;base64,PHN2Zy8+',
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: '"><script>' } },
            { type: 'image_url', image_url: { url: 'https://evil.example/pixel.png' } },
          ],
          status: 'success',
          durationMs: 5,
        },
      ],
      items: [{ itemId: '<i>item</i>', format: '<b>format</b>', value: { text: hostileText } }],
    },
  ],
  agentTransitions: [
    {
      transitionId: 'x',
      fromAgent: '<b>from</b>',
      toAgent: '<b>to</b>',
      reason: hostileText,
      turnId: '',
      timestamp: 'never',
    },
  ],
}
