import { Agent, type AgentInputItem, protocol, run, setTracingDisabled, tool } from '@openai/agents-core'
import { TurnstoreSession } from '@turnstore/openai-agents'
import { z } from 'zod'
import { natives } from '../../packages/formats/test/native.ts'
import { answers, FakeModel, wants } from '../openai-agents/fake-model.ts'
import { chosen, type Conversation } from './conversations.ts'
import type { Sdk } from './sdk.ts'
import { faultsOfCalls } from './strict.ts'

setTracingDisabled(true)

const native = natives.find(({ name }) => name === 'openai-agents')
const picture = 'data:image/png;base64,iVBORw0KGgo='

const user = (...content: protocol.UserContent[]): AgentInputItem => ({ type: 'message', role: 'user', content })
const asks = (text: string): protocol.UserContent => ({ type: 'input_text', text })
const completed = { status: 'completed' } as const
const calls = (callId: string): AgentInputItem => ({
  type: 'function_call',
  callId,
  name: 'see',
  arguments: '{',
  ...completed,
})

const odd: readonly (readonly AgentInputItem[])[] = [
  [
    user(
      asks('A file?'),
      { type: 'input_file', file: 'data:application/pdf;base64,JVBERi0=', filename: 'ä.pdf' },
      { type: 'input_image', image: { id: 'file-1' } },
      { type: 'audio', audio: 'UklGRg==', format: 'wav' },
    ),
    { type: 'message', role: 'assistant', ...completed, content: [{ type: 'refusal', refusal: 'No.' }] },
  ],
  [
    user(asks('Search the web.')),
    { type: 'hosted_tool_call', id: 'ws_1', name: 'web_search_call', ...completed, providerData: { action: 'x' } },
    { type: 'reasoning', id: 'rs_1', content: [], providerData: { encrypted_content: 'Z0FB' } },
    answers('Found.'),
  ],
  [
    user(asks('A picture?'), { type: 'input_image', image: 'https://example.com/a.png' }),
    calls('see_1'),
    {
      type: 'function_call_result',
      callId: 'see_1',
      name: 'see',
      ...completed,
      output: [
        { type: 'input_text', text: 'Here.' },
        { type: 'input_image', image: picture },
      ],
    },
    { type: 'message', role: 'system', content: 'Be brief.' },
    { ...answers('Seen.'), providerData: { bytes: new Uint8Array([1, 2]), none: undefined } },
  ],
  [
    { role: 'user', content: '' },
    calls('see_2'),
    { type: 'function_call_result', callId: 'see_2', name: 'see', status: 'incomplete', output: '' },
    answers(''),
  ],
  [{ role: 'user', content: 'Did nobody answer?' }],
  [user(asks('An odd id?')), calls('see/3 ö'), calls('see_4')],
]

function itemsOf(conversation: Conversation): AgentInputItem[] {
  const written = (native?.write(conversation.talk) ?? []).map((item): AgentInputItem => protocol.ModelItem.parse(item))
  const items = conversation.ending === 'call' ? written.slice(0, -1) : written
  return [...chosen(conversation, odd).flat(), ...items]
}

const look = tool({
  name: 'look',
  description: 'Looks',
  parameters: z.object({}),
  execute: async () => 'It is there.',
})

export const openAiAgents: Sdk = {
  name: 'OpenAI Agents',
  format: 'openai-agents',

  async record(store, conversation, index) {
    const sessionId = `openai-${index}`
    const items = itemsOf(conversation)
    for (let at = 0; at < items.length; at += 3) {
      await new TurnstoreSession({ store, sessionId }).addItems(items.slice(at, at + 3))
    }
    return sessionId
  },

  load: async (store, sessionId) => new TurnstoreSession({ store, sessionId }).getItems(),

  async goOn(store, sessionId, prompt, index) {
    const callId = `${prompt.length}_openai`
    const model = new FakeModel(input => [
      input.some(item => item.type === 'function_call_result' && item.callId === callId)
        ? answers('Done.')
        : wants(callId, 'look'),
    ])
    const agent = new Agent({ name: 'A', model, tools: [look] })
    const session = new TurnstoreSession({ store, sessionId })
    const stream = index % 2 === 0
    if (stream) await (await run(agent, prompt, { session, stream })).completed
    else await run(agent, prompt, { session })
    return { sessionId, asked: model.asked, faults: model.asked.flatMap(faultsOf) }
  },
}

function faultsOf(items: readonly AgentInputItem[]): string[] {
  return [
    ...items.flatMap(item => protocol.ModelItem.safeParse(item).error?.message ?? []),
    ...faultsOfCalls(
      items.flatMap(item => {
        if (item.type === 'function_call') return { call: item.callId }
        return item.type === 'function_call_result' ? { result: item.callId } : []
      }),
    ),
  ]
}
