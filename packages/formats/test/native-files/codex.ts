import type { JsonObject } from '@turnstore/core'
import type { Talk } from '../conversations.ts'
import { type FileNative, time, lengthOf } from './file-native.ts'

export const codex: FileNative = {
  name: 'codex',
  title: 'Codex',
  hasLines: true,
  isSingle: true,
  write: ([talk]) => (talk === undefined ? [] : codexLines(talk)),
}

export function codexItems({ turns }: Talk): { turn: number; item: JsonObject }[] {
  return turns.flatMap(({ prompt, steps, answer }, turn) => {
    const said = (role: string, text: string): JsonObject => ({
      type: 'message',
      role,
      content: [{ type: role === 'user' ? 'input_text' : 'output_text', text }],
    })
    const items = [
      said('user', prompt),
      ...steps.flatMap(({ thought, text, calls }): JsonObject[] => [
        ...(thought === null
          ? []
          : [
              {
                type: 'reasoning',
                summary: [{ type: 'summary_text', text: thought }],
                content: null,
                encrypted_content: 'Z0FBQUFB',
              },
            ]),
        ...(text === null ? [] : [said('assistant', text)]),
        ...calls.map(({ id, name, input }) => ({
          type: 'function_call',
          name,
          arguments: JSON.stringify(input),
          call_id: id,
        })),
        ...calls.map(({ id, output }) => ({ type: 'function_call_output', call_id: id, output })),
      ]),
      ...(answer === null ? [] : [said('assistant', answer)]),
    ]
    return items.map(item => ({ turn, item }))
  })
}

const ENVIRONMENT = '<environment_context>\n  <cwd>/home/ada</cwd>\n</environment_context>'

export function codexLines(talk: Talk): JsonObject[] {
  const lines: JsonObject[] = []
  const add = (type: string, payload: JsonObject): void =>
    void lines.push({ timestamp: time(lines.length), type, payload })
  const note = (role: string, text: string): JsonObject => ({
    type: 'message',
    role,
    content: [{ type: 'input_text', text }],
  })
  add('session_meta', {
    id: 'rollout-1',
    timestamp: time(0),
    cwd: '/home/ada',
    originator: 'codex-tui',
    cli_version: '0.125.0',
    source: 'cli',
    model_provider: 'openai',
    base_instructions: { text: 'You are Codex. You are to be brief.' },
    git: { branch: 'main', commit_hash: 'ab12' },
  })
  add('response_item', note('developer', '<permissions instructions>All is allowed.</permissions instructions>'))
  add('response_item', note('user', ENVIRONMENT))
  let last = -1
  for (const { turn, item } of codexItems(talk)) {
    if (turn !== last) {
      if (last !== -1)
        add('event_msg', { type: 'task_complete', turn_id: `turn-${last}`, last_agent_message: 'So it is.' })
      add('event_msg', { type: 'task_started', turn_id: `turn-${turn}`, model_context_window: 258400 })
      add('turn_context', { turn_id: `turn-${turn}`, cwd: '/home/ada', model: 'gpt-5.5', summary: 'none' })
      last = turn
    }
    add('response_item', item)
    if (item.type === 'message')
      add('event_msg', { type: item.role === 'user' ? 'user_message' : 'agent_message', message: 'The same again.' })
    const usage = { input_tokens: 10, cached_input_tokens: 4, output_tokens: 2, total_tokens: 12 }
    const total = { ...usage, total_tokens: 12 * lines.length }
    add('event_msg', { type: 'token_count', info: { total_token_usage: total, last_token_usage: usage } })
  }
  return lines
}

export const codexOld: FileNative = {
  name: 'codex',
  title: 'Codex before lines had types',
  hasLines: true,
  isSingle: true,
  write: ([talk]) =>
    talk === undefined
      ? []
      : [
          { id: 'rollout-1', timestamp: time(0), instructions: 'Be brief in all things.', git: { branch: 'main' } },
          { record_type: 'state' },
          ...codexItems(talk).flatMap(({ item }) => [item, { record_type: 'state' }]),
        ],
}

export const codexOldest: FileNative = {
  name: 'codex',
  title: 'Codex in TypeScript',
  countItems: file => 1 + lengthOf(file, 'items'),
  isSingle: true,
  write: ([talk]) =>
    talk === undefined
      ? []
      : [
          {
            session: { timestamp: time(0), id: 'rollout-1', instructions: 'Be brief.' },
            items: codexItems(talk).map(({ item }) => item),
          },
        ],
}
