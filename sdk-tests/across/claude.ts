import { type SessionKey, type SessionStoreEntry, TurnstoreSessionStore } from '@turnstore/claude-agent-sdk'
import type { JsonObject, SessionStore } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { claudeCodeLines } from '../../packages/formats/test/native-files/claude-code.ts'
import { faultOf, messagesOf } from '../claude-agent-sdk/fake-api.ts'
import { chosen, type Conversation } from './conversations.ts'
import type { Sdk } from './sdk.ts'

const projectKey = '-home-ada-app'

let count = 0

const entry = (type: string, members: JsonObject): SessionStoreEntry => ({
  type,
  uuid: `odd-${count}`,
  parentUuid: null,
  isSidechain: false,
  timestamp: new Date(Date.UTC(2026, 0, 1) + count++ * 1_000).toISOString(),
  ...members,
})
const asks = (content: JsonObject[string]): SessionStoreEntry => entry('user', { message: { role: 'user', content } })
const says = (...content: JsonObject[]): SessionStoreEntry =>
  entry('assistant', { message: { role: 'assistant', model: 'm', content } })
const text = (said: string): JsonObject => ({ type: 'text', text: said })
const calls = (id: string): JsonObject => ({ type: 'tool_use', id, name: 'Read', input: { path: 'ö' } })
const source = { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' }

const odd: readonly (() => SessionStoreEntry[])[] = [
  () => [
    asks([
      text('These?'),
      { type: 'image', source },
      { type: 'document', source: { type: 'url', url: 'https://e.com' } },
    ]),
    says({ type: 'redacted_thinking', data: 'x' }, text('Seen.')),
    { type: 'mode', mode: 'plan' },
  ],
  () => {
    const call = says(calls('odd_1'))
    const result = { type: 'tool_result', tool_use_id: 'odd_1', content: [text('Here.'), { type: 'image', source }] }
    return [asks('A picture?'), call, { ...asks([result]), sourceToolAssistantUUID: call.uuid }, says(text(''))]
  },
  () => [
    asks('Stop?'),
    says(calls('odd_2'), calls('odd_3')),
    asks([{ type: 'tool_result', tool_use_id: 'odd_2', content: '', is_error: true }]),
    asks([text('[Request interrupted by user for tool use]')]),
  ],
  () => [
    entry('user', { isMeta: true, message: { role: 'user', content: 'Caveat: none.' } }),
    asks('<command-name>/clear</command-name>'),
    entry('attachment', { attachment: { type: 'queued_command', prompt: 'Typed meanwhile.' } }),
    says(text('Yes.')),
    { ...says(text('API Error: 529')), isApiErrorMessage: true },
  ],
  () => [
    asks('Search?'),
    says(
      { type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: { query: 'ö' } },
      { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [{ type: 'web_search_result', url: 'x' }] },
      text('Found.'),
    ),
    entry('user', { isCompactSummary: true, message: { role: 'user', content: 'A summary.' } }),
  ],
  () => [asks('Did nobody answer?'), asks('')],
]

function entriesOf(conversation: Conversation, sessionId: string): SessionStoreEntry[] {
  const lines = claudeCodeLines(conversation.talk, sessionId).flatMap((line): SessionStoreEntry[] => {
    const { type } = line
    return typeof type === 'string' ? [{ ...line, type }] : []
  })
  const own =
    conversation.ending === 'call' ? [...lines.slice(0, -1), ...lines.slice(-1).map(withoutLastResult)] : lines
  return [...chosen(conversation, odd).flatMap(each => each()), ...own]
}

function withoutLastResult(line: SessionStoreEntry): SessionStoreEntry {
  const { message } = line
  if (!isJsonObject(message) || !Array.isArray(message.content)) return line
  return { ...line, message: { ...message, content: message.content.slice(0, -1) } }
}

/** The key under which a session is stored. */
async function keyOf(store: SessionStore, sessionId: string): Promise<SessionKey> {
  const session = await store.loadSession(sessionId)
  const { claudeSession = '' } = session?.metadata ?? {}
  return { projectKey, sessionId: typeof claudeSession === 'string' ? claudeSession : '' }
}

async function idOf(store: SessionStore, key: SessionKey): Promise<string> {
  for await (const { sessionId, metadata } of store.sessions()) {
    if (metadata.claudeSession === key.sessionId) return sessionId
  }
  throw new Error('the session is not there')
}

export const claude: Sdk = {
  name: 'Claude Agent SDK',
  format: 'claude-code',

  async record(store, conversation, index) {
    const key = { projectKey, sessionId: `claude-${index}` }
    const entries = entriesOf(conversation, key.sessionId)
    const sessionStore = new TurnstoreSessionStore({ store })
    for (let at = 0; at < entries.length; at += 4) await sessionStore.append(key, entries.slice(at, at + 4))
    return idOf(store, key)
  },

  async load(store, sessionId) {
    return (await new TurnstoreSessionStore({ store }).load(await keyOf(store, sessionId))) ?? []
  },

  async goOn(store, sessionId, prompt) {
    const sessionStore = new TurnstoreSessionStore({ store })
    const key = await sessionStore.copySession(sessionId, { projectKey })
    const before = (await sessionStore.load(key)) ?? []
    const id = `${prompt.length}_claude`
    const chain: SessionStoreEntry[] = []
    const add = (each: SessionStoreEntry): void => {
      const parentUuid = (chain.at(-1) ?? before.at(-1))?.uuid ?? null
      chain.push({ ...each, uuid: crypto.randomUUID(), parentUuid, sessionId: key.sessionId })
    }
    add(asks(prompt))
    const asked = [saidIn([...before, ...chain])]
    add(says({ type: 'tool_use', id, name: 'look', input: {} }))
    add(asks([{ type: 'tool_result', tool_use_id: id, content: 'It is there.' }]))
    asked.push(saidIn([...before, ...chain]))
    add(says(text('Done.')))
    for (const each of chain) await sessionStore.append(key, [each])
    const faults = asked.flatMap(messages => faultOf(messagesOf(messages)) ?? [])
    return { sessionId: await idOf(store, key), asked, faults }
  },
}

/** What the program sends. */
function saidIn(entries: readonly SessionStoreEntry[]): JsonObject[] {
  return entries.flatMap(({ message }) => (isJsonObject(message) ? [message] : []))
}
