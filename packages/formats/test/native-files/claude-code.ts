import type { JsonObject } from '@turnstore/core'
import type { Talk } from '../conversations.ts'
import { type FileNative, time } from './file-native.ts'

export const claudeCode: FileNative = {
  name: 'claude-code',
  title: 'Claude Code, several sessions in one file',
  hasLines: true,
  saysFailure: true,
  write: talks => talks.flatMap((talk, index) => claudeCodeLines(talk, `session-${index}`)),
}

export function claudeCodeLines({ turns }: Talk, sessionId: string, members: JsonObject = {}): JsonObject[] {
  const lines: JsonObject[] = []
  let parentUuid: string | null = null
  const add = (type: string, body: JsonObject): void => {
    const uuid = `${sessionId}-${lines.length}`
    const timestamp = time(lines.length)
    lines.push({
      parentUuid,
      isSidechain: false,
      userType: 'external',
      cwd: '/home/ada lovelace/app',
      sessionId,
      version: '2.1.45',
      gitBranch: 'main',
      type,
      uuid,
      timestamp,
      ...body,
      ...members,
    })
    parentUuid = uuid
  }
  lines.push({
    type: 'file-history-snapshot',
    messageId: `${sessionId}-m`,
    snapshot: { messageId: `${sessionId}-m`, trackedFileBackups: {}, timestamp: time(0) },
    isSnapshotUpdate: false,
  })
  lines.push({ type: 'queue-operation', operation: 'dequeue', timestamp: time(0), sessionId })
  for (const [at, turn] of turns.entries()) {
    add('user', {
      message: { role: 'user', content: at % 2 === 0 ? turn.prompt : [{ type: 'text', text: turn.prompt }] },
      thinkingMetadata: { maxThinkingTokens: 31999 },
      todos: [{ content: 'Look at it again', status: 'pending' }],
      permissionMode: 'default',
    })
    for (const [stepAt, step] of turn.steps.entries()) {
      const message = (content: JsonObject): JsonObject => ({
        requestId: 'req_1',
        message: {
          model: 'claude-opus-4-6',
          id: `msg_${at}_${stepAt}`,
          type: 'message',
          role: 'assistant',
          content: [content],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 3, output_tokens: 5, cache_read_input_tokens: 7, service_tier: 'standard' },
        },
      })
      if (step.thought !== null)
        add('assistant', message({ type: 'thinking', thinking: step.thought, signature: 'c2lnbmF0dXJl' }))
      if (step.text !== null) add('assistant', message({ type: 'text', text: step.text }))
      for (const { id, name, input } of step.calls)
        add('assistant', message({ type: 'tool_use', id, name, input, caller: { type: 'direct' } }))
      add('progress', { toolUseID: 'x', data: { type: 'bash_progress', output: 'Still at it' } })
      add('user', {
        message: {
          role: 'user',
          content: step.calls.map(({ id, output, failed }, index) => ({
            tool_use_id: id,
            type: 'tool_result',
            content: index === 0 ? output : [{ type: 'text', text: output }],
            is_error: failed,
          })),
        },
        toolUseResult: { stdout: 'As the tool has it', stderr: '', interrupted: false, isImage: false },
      })
    }
    if (turn.answer === null) continue
    add('assistant', {
      message: {
        model: 'claude-opus-4-6',
        id: `msg_${at}`,
        type: 'message',
        role: 'assistant',
        content: [{ type: 'text', text: turn.answer }],
        usage: { input_tokens: 3, output_tokens: 5 },
      },
    })
    add('system', { subtype: 'turn_duration', durationMs: 62243, isMeta: false })
  }
  return lines
}
