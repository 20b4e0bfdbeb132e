import type { JsonObject, JsonValue } from '@turnstore/core'
import type { Talk } from '../conversations.ts'
import { counter, type FileNative, seconds } from './file-native.ts'

export const chatGpt: FileNative = {
  name: 'chatgpt',
  title: 'ChatGPT',
  // The root has no message.
  countItems: file => file.reduce((sum, { mapping }) => sum + Object.keys(mapping ?? {}).length - 1, 0),
  write: talks => talks.map((talk, index) => chatGptRecord(talk, `conversation-${index}`)),
}

export function chatGptMessage(id: string, role: string, content: JsonObject, others: JsonObject = {}): JsonObject {
  return {
    id,
    author: { role, name: null, metadata: {} },
    create_time: seconds(Number(/\d+$/.exec(id)?.[0] ?? 0)),
    update_time: null,
    content,
    status: 'finished_successfully',
    end_turn: null,
    weight: 1,
    metadata: role === 'assistant' ? { model_slug: 'gpt-5', citations: [{ title: 'A page somewhere' }] } : {},
    recipient: 'all',
    channel: null,
    ...others,
  }
}

export function chatGptText(...parts: JsonValue[]): JsonObject {
  return { content_type: 'text', parts }
}

/** A tree of one branch. */
export function chatGptMapping(messages: readonly JsonObject[]): JsonObject {
  const ids = ['root', ...messages.flatMap(({ id }) => (typeof id === 'string' ? id : []))]
  return Object.fromEntries(
    ids.map((id, index) => [
      id,
      {
        id,
        message: messages[index - 1] ?? null,
        parent: ids[index - 1] ?? null,
        children: ids.slice(index + 1, index + 2),
      },
    ]),
  )
}

function chatGptRecord({ system, turns }: Talk, id: string): JsonObject {
  const next = counter('node')
  const said = (role: string, content: JsonObject, others?: JsonObject): JsonObject =>
    chatGptMessage(next(), role, content, others)
  const hidden = { metadata: { is_visually_hidden_from_conversation: true }, weight: 0 }
  const instructions = {
    content_type: 'user_editable_context',
    user_profile: 'Preferred name: Ada',
    user_instructions: system ?? '',
  }
  const messages = [
    said('system', chatGptText(''), hidden),
    ...(system === null ? [] : [said('user', instructions, hidden)]),
    ...turns.flatMap(({ prompt, picture, steps, answer }) => [
      said(
        'user',
        picture
          ? {
              content_type: 'multimodal_text',
              parts: [
                {
                  content_type: 'image_asset_pointer',
                  asset_pointer: 'sediment://file_0',
                  size_bytes: 9,
                  metadata: { dalle: { prompt: 'A drawing of a parcel' } },
                },
                prompt,
              ],
            }
          : chatGptText(prompt),
      ),
      ...steps.flatMap(({ text, thought, calls }) => [
        ...(thought === null
          ? []
          : [
              said('assistant', {
                content_type: 'thoughts',
                thoughts: [{ summary: 'A thought', content: thought, chunks: [], finished: true }],
                source_analysis_msg_id: 'node-0',
              }),
              said('assistant', { content_type: 'reasoning_recap', content: 'Thought for 3 seconds' }),
            ]),
        ...(text === null ? [] : [said('assistant', chatGptText(text))]),
        ...calls.flatMap(({ name, input, output }) => [
          said(
            'assistant',
            { content_type: 'code', language: 'json', text: JSON.stringify(input) },
            { recipient: name },
          ),
          said(
            'tool',
            { content_type: 'execution_output', text: output },
            { author: { role: 'tool', name, metadata: {} } },
          ),
        ]),
      ]),
      ...(answer === null ? [] : [said('assistant', chatGptText(answer), { end_turn: true })]),
    ]),
  ]
  return {
    title: 'Where is my parcel',
    create_time: seconds(0),
    update_time: seconds(9),
    mapping: chatGptMapping(messages),
    moderation_results: [],
    current_node: messages.at(-1)?.id ?? 'root',
    conversation_id: id,
    id,
    default_model_slug: 'gpt-5',
    is_archived: false,
    safe_urls: [],
  }
}
