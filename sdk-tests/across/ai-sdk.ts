import {
  convertToModelMessages,
  generateText,
  isToolUIPart,
  modelMessageSchema,
  stepCountIs,
  streamText,
  tool,
  toUIMessageStream,
  type UIMessage,
  validateUIMessages,
} from 'ai'
import { TurnstoreChats } from '@turnstore/ai-sdk'
import { z } from 'zod'
import { natives } from '../../packages/formats/test/native.ts'
import { fakeModel, type Prompt, resultsIn, says, user, wants } from '../ai-sdk/fake-model.ts'
import { chosen, type Conversation } from './conversations.ts'
import type { Sdk } from './sdk.ts'
import { type Event, faultsOfCalls } from './strict.ts'

const native = natives.find(({ name, joins }) => name === 'ai-sdk' && joins !== undefined)

type Part = UIMessage['parts'][number]

const answer = (id: string, ...parts: Part[]): UIMessage => ({
  id,
  role: 'assistant',
  parts: [{ type: 'step-start' }, ...parts],
})
const text = (said: string): Part => ({ type: 'text', text: said, state: 'done' })

const odd: readonly (readonly UIMessage[])[] = [
  [
    {
      id: 'q1',
      role: 'user',
      metadata: { at: 1 },
      parts: [
        { type: 'file', mediaType: 'application/pdf', filename: 'ä.pdf', url: 'data:application/pdf;base64,JVBERi0=' },
        { type: 'file', mediaType: 'image/png', url: 'https://example.com/a.png' },
        { type: 'file', mediaType: 'text/plain', url: 'data:text/plain;base64,aGk=' },
        { type: 'data-place', data: { x: 1 } },
      ],
    },
    answer(
      'a1',
      { type: 'source-url', sourceId: 's', url: 'https://example.com' },
      { type: 'source-document', sourceId: 'd', mediaType: 'text/plain', title: 'T' },
      { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,iVBORw0KGgo=' },
      { type: 'data-place', id: 'x', data: null },
    ),
  ],
  [
    user('q2', 'May it?'),
    answer('a2', {
      type: 'tool-send',
      toolCallId: 'odd_1',
      state: 'output-denied',
      input: { to: 'ö' },
      approval: { id: 'p1', approved: false, reason: 'Not now.' },
    }),
  ],
  [
    user('q3', 'Search?'),
    answer(
      'a3',
      { type: 'reasoning', text: 'Hm.', providerMetadata: { fake: { signature: 'c2ln' } } },
      {
        type: 'tool-web',
        toolCallId: 'odd_2',
        state: 'output-available',
        input: { q: 1 },
        output: [{ url: 'x' }],
        providerExecuted: true,
      },
      { type: 'dynamic-tool', toolName: 'any', toolCallId: 'odd_3', state: 'output-available', input: 7, output: null },
      {
        type: 'tool-see',
        toolCallId: 'odd 4/ö',
        state: 'output-error',
        input: undefined,
        rawInput: '{',
        errorText: '',
      },
      text(''),
    ),
  ],
  [
    user('q4', 'Wait?'),
    answer('a4', text('I ask.'), {
      type: 'tool-send',
      toolCallId: 'odd_5',
      state: 'approval-requested',
      input: {},
      approval: { id: 'p2' },
    }),
  ],
  [{ id: 's', role: 'system', parts: [{ type: 'text', text: 'Be brief.' }] }, user('q5', ''), user('q6', 'Twice?')],
  [
    user('q7', 'Streaming?'),
    answer('a7', { type: 'tool-see', toolCallId: 'odd_6', state: 'input-streaming', input: undefined }),
  ],
]

async function messagesOf(conversation: Conversation): Promise<UIMessage[]> {
  const written = native?.write(conversation.talk) ?? []
  const all = [...chosen(conversation, odd).flat(), ...(await validateUIMessages({ messages: written }))]
  return conversation.ending === 'call' ? [...all.slice(0, -1), ...all.slice(-1).map(withoutLastResult)] : all
}

function withoutLastResult(message: UIMessage): UIMessage {
  const last = message.parts.at(-1)
  if (last === undefined || !isToolUIPart(last)) return message
  const { toolCallId, input } = last
  const open: Part = { type: 'tool-search', toolCallId, state: 'input-available', input }
  return { ...message, parts: [...message.parts.slice(0, -1), open] }
}

const tools = { look: tool({ inputSchema: z.object({}), execute: async () => 'It is there.' }) }

export const aiSdk: Sdk = {
  name: 'AI SDK',
  format: 'ai-sdk',

  async record(store, conversation, index) {
    const chatId = `ai-${index}`
    const messages = await messagesOf(conversation)
    const chats = new TurnstoreChats({ store })
    await chats.saveMessages(chatId, messages.slice(0, 3))
    await chats.saveMessages(chatId, messages)
    return chatId
  },

  load: async (store, sessionId) => new TurnstoreChats({ store }).loadMessages(sessionId),

  async goOn(store, sessionId, prompt, index) {
    const asked: Prompt[] = []
    const callId = `${prompt.length}_ai`
    const model = fakeModel(given => {
      asked.push(given)
      return resultsIn(given).includes(callId) ? [says('Done.')] : [wants(callId, 'look')]
    })
    const message = user(`${prompt.length}-${sessionId}`, prompt)
    const goOn = index % 2 === 0 ? withRun : withSave
    const converted = await goOn(new TurnstoreChats({ store }), sessionId, message, model)
    const faults = converted.flatMap(each => modelMessageSchema.safeParse(each).error?.message ?? [])
    return { sessionId, asked, faults: [...faults, ...asked.flatMap(faultsOf)] }
  },
}

type GoOn = (
  chats: TurnstoreChats,
  chatId: string,
  message: UIMessage,
  model: ReturnType<typeof fakeModel>,
) => Promise<object[]>

const stopWhen = stepCountIs(5)

const withRun: GoOn = async (chats, chatId, message, model) => {
  const run = await chats.recordRun(chatId, { message, tools })
  const checked = await validateUIMessages({ messages: run.messages })
  const messages = await convertToModelMessages(checked, { ignoreIncompleteToolCalls: true })
  await generateText({ model, messages, allowSystemInMessages: true, stopWhen, ...run.settings, onEnd: run.onEnd })
  return messages
}

const withSave: GoOn = async (chats, chatId, message, model) => {
  const before = [...(await validateUIMessages({ messages: await chats.loadMessages(chatId) })), message]
  const messages = await convertToModelMessages(before, { ignoreIncompleteToolCalls: true })
  const { stream } = streamText({ model, messages, allowSystemInMessages: true, tools, stopWhen })
  let saved: Promise<number> | undefined
  const ui = toUIMessageStream({
    stream,
    originalMessages: before,
    generateMessageId: () => `answer-${message.id}`,
    onEnd: ({ messages: all }) => {
      saved = chats.saveMessages(chatId, all)
    },
  })
  for await (const _ of ui) continue
  await saved
  return messages
}

/** What a provider refuses in a prompt. */
function faultsOf(prompt: Prompt): string[] {
  return faultsOfCalls(
    prompt.flatMap((message): Event[] => {
      if (message.role === 'system' || message.role === 'user') return [null]
      return [
        ...(message.role === 'assistant' ? [null] : []),
        ...message.content.flatMap((part): Event[] => {
          if (part.type === 'tool-call') return [{ call: part.toolCallId }]
          return part.type === 'tool-result' ? [{ result: part.toolCallId }] : []
        }),
      ]
    }),
  )
}
