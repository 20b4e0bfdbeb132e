import type { UIMessage } from 'ai'
import fc from 'fast-check'
import { asJson, given, type Message, readMessage } from '../src/messages/message.ts'

const json = fc.jsonValue({ maxDepth: 2 }).map((value): unknown => JSON.parse(JSON.stringify(value)))
const metadata = fc.option(
  fc.constantFrom({ fake: { signature: 'c2ln' } }, { fake: { n: 1, list: [null, { a: 'é' }] } }),
  { nil: undefined },
)
const toolCallId = fc.constantFrom('c1', 'c2', 'call_3', '', 'x'.repeat(300), 'control\u0000')

const toolStates: fc.Arbitrary<object> = fc.oneof(
  fc.record({ state: fc.constant('input-streaming'), input: json, rawInput: fc.constant('{"a') }),
  fc.record({ state: fc.constant('input-available'), input: json }),
  fc.record({
    state: fc.constant('output-available'),
    input: json,
    output: json,
    preliminary: fc.constantFrom(undefined, true),
  }),
  fc.record({ state: fc.constant('output-error'), input: json, errorText: fc.string() }),
  fc.record({ state: fc.constant('approval-requested'), input: json, approval: fc.constant({ id: 'ap' }) }),
  fc.record({
    state: fc.constant('approval-responded'),
    input: json,
    approval: fc.constant({ id: 'ap', approved: true, reason: 'ok' }),
  }),
  fc.record({ state: fc.constant('output-denied'), input: json, approval: fc.constant({ id: 'ap', approved: false }) }),
)

const parts: fc.Arbitrary<object> = fc.oneof(
  fc.record({
    type: fc.constant('text'),
    text: fc.string(),
    state: fc.constantFrom(undefined, 'done', 'streaming'),
    providerMetadata: metadata,
  }),
  fc.record({ type: fc.constant('reasoning'), text: fc.string(), providerMetadata: metadata }),
  fc.constant({ type: 'step-start' }),
  fc.constant({ type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,AAAA', filename: 'a.png' }),
  fc.constant({ type: 'source-url', sourceId: 's', url: 'https://example.com', title: undefined }),
  fc.constant({ type: 'source-document', sourceId: 's', mediaType: 'text/plain', title: 'T' }),
  fc.record({ type: fc.constant('data-weather'), id: fc.constantFrom(undefined, 'd1'), data: json }),
  fc.tuple(toolCallId, toolStates).map(([id, state]) => ({ type: 'tool-track', toolCallId: id, ...state })),
  fc
    .tuple(toolCallId, toolStates)
    .map(([id, state]) => ({ type: 'dynamic-tool', toolName: 'any', toolCallId: id, ...state })),
)

const ids = fc.constantFrom('m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', '', 'y'.repeat(250), 'a\nb', '\ud800'.slice(0, 0))

/** Messages in any order, with ids that repeat or break the rule for ids. */
export const messages: fc.Arbitrary<UIMessage[]> = fc
  .array(
    fc.record({
      id: ids,
      role: fc.constantFrom('user', 'assistant', 'user', 'assistant', 'system'),
      metadata: fc.option(json, { nil: undefined }),
      parts: fc.array(parts, { maxLength: 4 }),
    }),
    { maxLength: 8 },
  )
  .map(list => given(list.map(asStored)))

/** How a list may be changed before it is saved again. */
export const changed = (list: readonly UIMessage[]): fc.Arbitrary<UIMessage[]> =>
  fc
    .tuple(messages, fc.nat(list.length), fc.constantFrom('append', 'cut', 'edit', 'replace'))
    .map(([others, at, how]) => {
      if (how === 'append') return [...list, ...others]
      if (how === 'cut') return [...list.slice(0, at), ...others]
      if (how === 'replace') return others
      return list.map((message, index) => (index === at ? { ...message, parts: others[0]?.parts ?? [] } : message))
    })

function asStored(message: object): Message {
  return readMessage(asJson(message, 'a message').value, 'a message')
}

export const user = (id: string, text = id): UIMessage => ({ id, role: 'user', parts: [{ type: 'text', text }] })

export const says = (id: string, text: string): UIMessage => ({
  id,
  role: 'assistant',
  parts: [{ type: 'step-start' }, { type: 'text', text, state: 'done' }],
})

export const calls = (id: string, toolCallId: string, output?: unknown): UIMessage => ({
  id,
  role: 'assistant',
  parts: [
    { type: 'step-start' },
    output === undefined
      ? { type: 'tool-track', toolCallId, state: 'input-available', input: { n: 7 } }
      : { type: 'tool-track', toolCallId, state: 'output-available', input: { n: 7 }, output },
  ],
})
