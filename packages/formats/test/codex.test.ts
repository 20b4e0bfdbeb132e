import type { JsonObject } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import type { Talk } from './conversations.ts'
import { codexLines } from './native-files/codex.ts'
import { callsOf, readFile, talkOf, usageOf } from './reading.ts'

function talk(...pairs: [string, string][]): Talk {
  return { system: null, turns: pairs.map(([prompt, answer]) => ({ prompt, picture: false, steps: [], answer })) }
}

function line(type: string, payload: JsonObject): JsonObject {
  return { timestamp: '2026-02-03T11:00:00.000Z', type, payload }
}

const item = (payload: JsonObject): JsonObject => line('response_item', payload)
const event = (payload: JsonObject): JsonObject => line('event_msg', payload)

describe('A rollout of Codex', () => {
  it('has the calls of all its kinds of tools', () => {
    const patch = '*** Begin Patch\n*** End Patch\n'
    const { sessions, problems } = readFile('codex', [
      ...codexLines(talk(['Fix it', 'I begin.'])),
      item({ type: 'custom_tool_call', status: 'completed', call_id: 'c1', name: 'apply_patch', input: patch }),
      item({
        type: 'custom_tool_call_output',
        call_id: 'c1',
        output: '{"output":"Success.","metadata":{"exit_code":0}}',
      }),
      item({
        type: 'local_shell_call',
        call_id: 'c2',
        status: 'completed',
        action: { type: 'exec', command: ['ls', '-l a'] },
      }),
      item({ type: 'function_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'a file' }] }),
      item({ type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'where to' } }),
      event({ type: 'exec_command_end', call_id: 'c2', aggregated_output: 'a file', exit_code: 0 }),
      item({ type: 'ghost_snapshot', ghost_commit: { id: 'ab12', preexisting_untracked_files: ['a file.txt'] } }),
    ])
    expect(problems.size).toBe(0)
    expect(callsOf(sessions[0])).toEqual([
      { apply_patch: { input: patch }, success: '{"output":"Success.","metadata":{"exit_code":0}}' },
      { local_shell: { action: { type: 'exec', command: ['ls', '-l a'] } }, success: 'a file' },
      { web_search: { action: { type: 'search', query: 'where to' } }, success: 'completed' },
    ])
  })

  it('keeps turns that were rolled back as a fork', () => {
    const before = codexLines(talk(['one', '1'], ['two', '2'], ['three', '3']))
    const after = codexLines(talk(['four', '4'])).slice(3)
    const { sessions, problems } = readFile('codex', [
      ...before,
      event({ type: 'thread_rolled_back', num_turns: 2 }),
      ...after,
    ])
    expect(problems.size).toBe(0)
    expect(sessions.map(each => [each.sessionId, each.parentSessionId, talkOf(each)])).toEqual([
      [
        'rollout-1',
        null,
        [
          ['one', '1'],
          ['four', '4'],
        ],
      ],
      [
        'rollout-1:rollback-1',
        'rollout-1',
        [
          ['one', '1'],
          ['two', '2'],
          ['three', '3'],
        ],
      ],
    ])
  })

  it('counts usage once, however often it is told, and takes the title and the model from events', () => {
    const count = (total: number): JsonObject =>
      event({
        type: 'token_count',
        info: { total_token_usage: { total_tokens: total }, last_token_usage: { input_tokens: 10, output_tokens: 2 } },
      })
    const { sessions, problems } = readFile('codex', [
      line('session_meta', { id: 'r', timestamp: '2026-02-03T10:00:00.000Z', forked_from_id: 'q' }),
      line('turn_context', { model: 'gpt-5.5', user_instructions: 'Be brief in all things' }),
      item({ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }),
      count(12),
      count(12),
      count(24),
      event({ type: 'thread_name_updated', thread_name: 'A greeting' }),
      line('compacted', { message: 'A summary of it all', replacement_history: [] }),
    ])
    expect(problems.size).toBe(0)
    expect(usageOf(sessions[0])).toEqual([{ inputTokens: 20, outputTokens: 4 }])
    expect(sessions[0]?.turns[0]?.metadata.model).toBe('gpt-5.5')
    expect(sessions[0]).toMatchObject({ parentSessionId: 'q', metadata: { title: 'A greeting' } })
  })

  it('takes no context that the tool adds for a prompt', () => {
    const said = (text: string): JsonObject =>
      item({ type: 'message', role: 'user', content: [{ type: 'input_text', text }] })
    const { sessions } = readFile('codex', [
      line('session_meta', { id: 'r' }),
      said('# AGENTS.md instructions for /home/ada\n\n<INSTRUCTIONS>Be brief</INSTRUCTIONS>'),
      said('<environment_context>\n  <cwd>/home/ada</cwd>\n</environment_context>'),
      said('Hi'),
      said('<turn_aborted>\n  <reason>interrupted</reason>\n</turn_aborted>'),
      said('<b>Hi</b> again'),
    ])
    expect(talkOf(sessions[0])).toEqual([
      ['Hi', null],
      ['<b>Hi</b> again', null],
    ])
    expect(sessions[0]?.turns.map(({ status }) => status)).toEqual(['cancelled', 'running'])
  })

  it('reports items and lines that nobody knows, and keeps them', () => {
    const { sessions, problems } = readFile('codex', [
      ...codexLines(talk(['Hi', 'Ho'])),
      item({ type: 'hologram', caption: 'A red rose' }),
      { kind: 'unheard of', text: 'So it goes' },
    ])
    expect([...problems.keys()]).toEqual([
      'is an item of an unknown type; kept, but not read',
      'is a line of an unknown type; kept, but not read',
    ])
    expect(JSON.stringify(sessions)).toContain('So it goes')
  })
})
