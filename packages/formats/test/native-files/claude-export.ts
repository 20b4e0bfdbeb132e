import type { JsonObject } from '@turnstore/core'
import type { Step, Talk } from '../conversations.ts'
import { callsOf, counter, type FileNative, time, lengthOf } from './file-native.ts'

export const claudeExport: FileNative = {
  name: 'claude-export',
  title: 'Claude',
  countItems: file => lengthOf(file, 'chat_messages'),
  saysFailure: true,
  write: talks => talks.map((talk, index) => claudeExportRecord(talk, `conversation-${index}`)),
}

function claudeExportRecord({ turns }: Talk, uuid: string): JsonObject {
  const next = counter('message')
  let parent = '00000000-0000-4000-8000-000000000000'
  const said = (sender: string, content: JsonObject[]): JsonObject => {
    const id = next()
    const texts = content.map(({ text }) => (typeof text === 'string' ? text : UNSUPPORTED))
    const times = { start_timestamp: time(1), stop_timestamp: time(2) }
    const message = {
      uuid: id,
      text: texts.join('\n\n'),
      content: content.map(block => ({ ...times, ...block, flags: null })),
      sender,
      created_at: time(1),
      updated_at: time(2),
      attachments: [],
      files: sender === 'human' ? [{ file_name: 'a plan.pdf' }] : [],
      parent_message_uuid: parent,
    }
    parent = id
    return message
  }
  return {
    uuid,
    name: 'Where is my parcel',
    summary: '',
    created_at: time(0),
    updated_at: time(9),
    account: { uuid: 'account-0' },
    chat_messages: turns.flatMap(turn => {
      const blocks = [
        ...turn.steps.flatMap(claudeExportBlocks),
        ...(turn.answer === null ? [] : [{ type: 'text', text: turn.answer, citations: [] }]),
        { type: 'token_budget' },
      ]
      return [
        said('human', [{ type: 'text', text: turn.prompt, citations: [] }]),
        ...(callsOf(turn).length === 0 && turn.answer === null ? [] : [said('assistant', blocks)]),
      ]
    }),
  }
}

const UNSUPPORTED = '```\nThis block is not supported on your current device yet.\n```'

function claudeExportBlocks({ thought, text, calls }: Step): JsonObject[] {
  return [
    ...(thought === null
      ? []
      : [{ type: 'thinking', thinking: thought, summaries: [{ summary: 'A thought in short.' }], cut_off: false }]),
    ...(text === null ? [] : [{ type: 'text', text, citations: [] }]),
    ...calls.flatMap(({ id, name, input, output, failed }): JsonObject[] => [
      {
        type: 'tool_use',
        id,
        name,
        input,
        message: 'Looking it up',
        integration_name: 'My Server',
        display_content: null,
      },
      {
        type: 'tool_result',
        tool_use_id: id,
        name,
        content: [{ type: 'text', text: output }],
        is_error: failed,
        message: 'Looked it up',
        display_content: { type: 'text', text: 'Shown to the person' },
      },
    ]),
  ]
}
