import type { JsonObject, JsonValue } from '@turnstore/core'
import type { Call, Exchange, Step, Talk } from './conversations.ts'

/*
 * Conversations in files, as the tools that docs/formats.md names write them. Written apart from what reads them. Made
 * of constants and the conversation alone, so that a conversation that grew gives a file that grew.
 */

export interface FileNative {
  /** Of the format. */
  readonly name: string
  readonly title: string
  /** Records, or lines. */
  readonly write: (talks: readonly Talk[]) => JsonObject[]
  /** Whether a file holds one conversation. */
  readonly isSingle?: boolean
  /** Whether a file grows by lines, so that it may end anywhere. */
  readonly hasLines?: boolean
  readonly saysFailure?: boolean
}

function time(place: number): string {
  return new Date(Date.UTC(2026, 1, 3, 10, 0, place)).toISOString()
}

function seconds(place: number): number {
  return Date.UTC(2026, 1, 3, 10, 0, place) / 1000
}

function callsOf({ steps }: Exchange): Call[] {
  return steps.flatMap(({ calls }) => calls)
}

/** Numbers what belongs to a conversation. */
function counter(prefix: string): () => string {
  let count = 0
  return () => `${prefix}-${count++}`
}

const claudeCode: FileNative = {
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

const codex: FileNative = {
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

const codexOld: FileNative = {
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

const codexOldest: FileNative = {
  name: 'codex',
  title: 'Codex in TypeScript',
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

function geminiMessages({ turns }: Talk): JsonObject[] {
  const next = counter('message')
  const made = (type: string, content: JsonValue, others: JsonObject = {}): JsonObject => {
    const id = next()
    return { id, timestamp: time(Number(id.split('-')[1])), type, content, ...others }
  }
  return turns.flatMap(({ prompt, steps, answer }) => [
    made('user', [{ text: prompt }], { displayContent: 'What the person typed' }),
    made('info', 'Update successful! Restart to use it.'),
    ...steps.map(({ text, thought, calls }) =>
      made('gemini', text ?? '', {
        thoughts: thought === null ? [] : [{ subject: 'A thought', description: thought, timestamp: time(1) }],
        tokens: { input: 10, output: 2, cached: 0, thoughts: 1, tool: 0, total: 13 },
        model: 'gemini-2.5-pro',
        toolCalls: calls.map(({ id, name, input, output, failed }) => ({
          id,
          name,
          args: input,
          result: [{ functionResponse: { id, name, response: failed ? { error: output } : { output } } }],
          status: failed ? 'error' : 'success',
          timestamp: time(1),
          displayName: 'A Tool',
          description: 'Does what it is told to do',
          resultDisplay: 'Shown to the person',
          renderOutputAsMarkdown: false,
        })),
      }),
    ),
    ...(answer === null ? [] : [made('gemini', answer, { thoughts: [], tokens: null, model: 'gemini-2.5-pro' })]),
  ])
}

const geminiCli: FileNative = {
  name: 'gemini-cli',
  title: 'Gemini CLI in JSON',
  saysFailure: true,
  write: talks =>
    talks.map((talk, index) => ({
      sessionId: `session-${index}`,
      projectHash: 'c0ffee',
      startTime: time(0),
      lastUpdated: time(9),
      messages: geminiMessages(talk),
    })),
}

const geminiCliLines: FileNative = {
  name: 'gemini-cli',
  title: 'Gemini CLI in lines',
  saysFailure: true,
  hasLines: true,
  isSingle: true,
  write: ([talk]) =>
    talk === undefined
      ? []
      : [
          { sessionId: 'session-0', projectHash: 'c0ffee', startTime: time(0), lastUpdated: time(0), kind: 'main' },
          ...geminiMessages(talk).flatMap(({ toolCalls, tokens, ...message }): JsonObject[] => [
            { ...message, ...(tokens === undefined ? {} : { tokens: null }) },
            { $set: { lastUpdated: time(1) } },
            ...(toolCalls === undefined ? [] : [{ ...message, tokens: tokens ?? null, toolCalls }]),
          ]),
        ],
}

const chatGpt: FileNative = {
  name: 'chatgpt',
  title: 'ChatGPT',
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

const claudeExport: FileNative = {
  name: 'claude-export',
  title: 'Claude',
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

const inspect: FileNative = {
  name: 'inspect',
  title: 'Inspect',
  saysFailure: true,
  write: talks => [
    {
      version: 2,
      status: 'success',
      eval: { eval_id: 'eval-0', run_id: 'run-0', created: time(0), task: 'parcels', model: 'openai/gpt-5' },
      plan: { name: 'plan', steps: [{ solver: 'generate', params: {} }] },
      results: { total_samples: talks.length, completed_samples: talks.length },
      stats: { started_at: time(0), completed_at: time(9) },
      samples: talks.map((talk, index) => ({
        id: index,
        epoch: 1,
        input: 'Where is my parcel?',
        target: 'At the depot',
        messages: inspectMessages(talk),
        output: { model: 'gpt-5', choices: [], usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 } },
        scores: { includes: { value: 'C', explanation: 'It is in there.' } },
        metadata: {},
        store: {},
        events: [],
        model_usage: { 'openai/gpt-5': { input_tokens: 10, output_tokens: 4, total_tokens: 14 } },
        attachments: {},
      })),
    },
  ],
}

function inspectMessages({ system, turns }: Talk): JsonObject[] {
  const next = counter('message')
  const model = 'gpt-5'
  return [
    ...(system === null ? [] : [{ id: next(), content: system, source: 'input', role: 'system' }]),
    ...turns.flatMap(({ prompt, steps, answer }): JsonObject[] => [
      { id: next(), content: prompt, source: 'input', role: 'user' },
      ...steps.flatMap(({ text, thought, calls }): JsonObject[] => [
        {
          id: next(),
          content: [
            ...(thought === null
              ? []
              : [{ type: 'reasoning', reasoning: thought, signature: 'c2ln', redacted: false }]),
            ...(text === null ? [] : [{ type: 'text', text }]),
          ],
          source: 'generate',
          role: 'assistant',
          tool_calls: calls.map(({ id, name, input }) => ({ id, function: name, arguments: input, type: 'function' })),
          model,
        },
        ...calls.map(({ id, name, output, failed }) => ({
          id: next(),
          content: failed ? '' : output,
          role: 'tool',
          tool_call_id: id,
          function: name,
          ...(failed ? { error: { type: 'unknown', message: output } } : {}),
        })),
      ]),
      ...(answer === null ? [] : [{ id: next(), content: answer, source: 'generate', role: 'assistant', model }]),
    ]),
  ]
}

const shareGpt: FileNative = {
  name: 'sharegpt',
  title: 'ShareGPT',
  write: talks =>
    talks.map(({ system, turns }, index) => ({
      id: `conversation-${index}`,
      ...(system === null ? {} : { system }),
      conversations: turns.flatMap(({ prompt, steps, answer }) => [
        { from: 'human', value: prompt },
        ...steps.flatMap(({ text, calls }) => [
          ...(text === null ? [] : [{ from: 'gpt', value: text }]),
          ...calls.flatMap(({ name, input, output }) => [
            { from: 'function_call', value: JSON.stringify({ name, arguments: input }) },
            { from: 'observation', value: output },
          ]),
        ]),
        ...(answer === null ? [] : [{ from: 'gpt', value: answer }]),
      ]),
    })),
}

export const fileNatives: readonly FileNative[] = [
  claudeCode,
  codex,
  codexOld,
  codexOldest,
  geminiCli,
  geminiCliLines,
  chatGpt,
  claudeExport,
  inspect,
  shareGpt,
]
