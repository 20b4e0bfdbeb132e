import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isJsonObject } from '@turnstore/core/adapter'
import type { JsonObject, JsonValue } from '@turnstore/core'

export interface Message {
  readonly role: 'user' | 'assistant'
  readonly content: readonly JsonObject[]
}

/** The content of the model's next message. */
export type Answer = (messages: readonly Message[]) => JsonObject[]

/** Anthropic's Messages API on loopback, with a model that answers what a function says. */
export interface FakeApi {
  readonly url: string
  /** The messages of each request of an agent, those that were refused included. */
  readonly asked: readonly (readonly Message[])[]
  /** Why requests were refused. */
  readonly refused: readonly string[]
  stop(): Promise<void>
}

export async function startApi(answer: Answer): Promise<FakeApi> {
  const asked: (readonly Message[])[] = []
  const refused: string[] = []
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!request.url?.startsWith('/v1/messages') || request.url.includes('count_tokens')) {
      response.writeHead(404).end('{}')
      return
    }
    const body = await bodyOf(request)
    const messages = messagesOf(body.messages)
    asked.push(messages)
    const fault = faultOf(messages)
    if (fault !== null) {
      refused.push(fault)
      const error = { type: 'error', error: { type: 'invalid_request_error', message: fault } }
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(error))
      return
    }
    send(response, body, answer(messages), asked.length)
  }
  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => {
      refused.push(String(error))
      response.writeHead(500).end('{}')
    })
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    asked,
    refused,
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => {
        server.close(resolve)
      })
    },
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (typeof address === 'object' && address !== null) return address.port
  throw new Error('the server has no port')
}

async function bodyOf(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk)
  const body: unknown = JSON.parse(Buffer.concat(chunks).toString())
  return isJsonObject(body) ? body : {}
}

/** The API takes neighbours of one role as one message. */
export function messagesOf(value: JsonValue | undefined): Message[] {
  const messages: Message[] = []
  for (const message of Array.isArray(value) ? value.filter(isJsonObject) : []) {
    const { role, content = null } = message
    // What newer models take between the messages.
    if (role === 'system') continue
    if (role !== 'user' && role !== 'assistant') throw new Error(`a message of the role ${JSON.stringify(role)}`)
    const blocks: JsonValue = typeof content === 'string' ? [says(content)] : content
    const list = Array.isArray(blocks) ? blocks.filter(block => isJsonObject(block)) : []
    const last = messages.at(-1)
    if (last?.role === role) messages[messages.length - 1] = { role, content: [...last.content, ...list] }
    else messages.push({ role, content: list })
  }
  return messages
}

/** What the API refuses. */
export function faultOf(messages: readonly Message[]): string | null {
  if (messages[0]?.role !== 'user' || messages.at(-1)?.role !== 'user')
    return 'the first and the last message must be the user’s'
  const ids = new Set<string>()
  let open: string[] = []
  for (const { role, content } of messages) {
    if (content.length === 0) return 'a message has no content'
    const results = content.filter(({ type }) => type === 'tool_result').map(({ tool_use_id: id }) => textOf(id))
    const calls = content.filter(({ type }) => type === 'tool_use').map(({ id }) => textOf(id))
    if (content.some(({ type, text }) => type === 'text' && (typeof text !== 'string' || text.trim() === '')))
      return 'a text is empty'
    if (role === 'assistant' && results.length > 0) return 'a result is the assistant’s'
    if (role === 'user' && calls.length > 0) return 'a call is the user’s'
    if (role === 'user') {
      if (results.some(id => !open.includes(id))) return 'a result has no call in the message before'
      if (new Set(results).size < results.length) return 'a call has two results'
      if (open.some(id => !results.includes(id))) return 'a call has no result in the message after it'
      if (content.findLastIndex(({ type }) => type === 'tool_result') > results.length - 1)
        return 'results must come first'
    }
    open = calls
    for (const id of calls) {
      if (ids.has(id) || !/^[a-zA-Z0-9_-]+$/.test(id)) return 'the id of a call is there twice, or is none'
      ids.add(id)
    }
  }
  return null
}

function send(
  response: ServerResponse,
  { model = '', stream }: JsonObject,
  content: readonly JsonObject[],
  count: number,
): void {
  const calls = content.some(({ type }) => type === 'tool_use')
  const stop = { stop_reason: calls ? 'tool_use' : 'end_turn', stop_sequence: null }
  const usage = { input_tokens: 3, output_tokens: 5 }
  const message = {
    id: `msg_${count}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [...content],
    ...stop,
    usage,
  }
  if (stream !== true) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(message))
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = (type: string, body: JsonObject): void => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`)
  }
  event('message_start', { message: { ...message, content: [], stop_reason: null } })
  for (const [index, block] of content.entries()) {
    const isText = block.type === 'text'
    event('content_block_start', {
      index,
      content_block: isText ? { type: 'text', text: '' } : { ...block, input: {} },
    })
    const delta = isText
      ? { type: 'text_delta', text: block.text ?? '' }
      : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) }
    event('content_block_delta', { index, delta })
    event('content_block_stop', { index })
  }
  event('message_delta', { delta: stop, usage: { output_tokens: 5 } })
  event('message_stop', {})
  response.end()
}

export const says = (text: string): JsonObject => ({ type: 'text', text })

export const wants = (id: string, name: string, input: JsonObject): JsonObject => ({
  type: 'tool_use',
  id,
  name,
  input,
})

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** The results of calls in a conversation, by the id of the call. */
export function resultsIn(messages: readonly Message[]): Map<string, JsonObject> {
  const blocks = messages.flatMap(({ content }) => content).filter(({ type }) => type === 'tool_result')
  return new Map(blocks.map(block => [textOf(block.tool_use_id), block]))
}

/** What the user said last, without what the SDK adds. */
export function textsIn(messages: readonly Message[]): string[] {
  return messages.flatMap(({ content }) =>
    content.flatMap(({ type, text }) =>
      type === 'text' && typeof text === 'string' && !text.startsWith('<system-reminder>') ? [text] : [],
    ),
  )
}
