import type { AgentInputItem } from '@openai/agents-core'
import { TurnstoreSessionStore } from '@turnstore/claude-agent-sdk'
import { SessionManager } from '@turnstore/core'
import { TurnstoreSession } from '@turnstore/openai-agents'
import { describe, expect, it, onTestFinished } from 'vitest'
import { memory, newFolder } from '../stores.ts'
import { ask, program, projectOf, withProgram } from './agent.ts'
import { type FakeApi, resultsIn, says, startApi, textsIn, wants } from './fake-api.ts'

async function started(): Promise<FakeApi> {
  const api = await startApi(messages =>
    textsIn(messages).at(-1) === 'Act.' && !resultsIn(messages).has('claude-1')
      ? [wants('claude-1', 'Bash', { command: 'echo tea' })]
      : [says(`Seen ${messages.length}.`)],
  )
  onTestFinished(async () => api.stop())
  return api
}

const call = (id: string, name: string, args: string): object => ({
  id,
  type: 'function',
  function: { name, arguments: args },
})

const picture = `data:image/png;base64,${Buffer.from('89504e470d0a1a0a', 'hex').toString('base64')}`

const recorded = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Is there tea?' },
  {
    role: 'assistant',
    content: 'I look.',
    tool_calls: [call('c1', 'search', '{"of":"tea"}'), call('c 2/odd', 'count', '{}')],
  },
  { role: 'tool', tool_call_id: 'c1', content: 'Green and black.' },
  { role: 'tool', tool_call_id: 'c 2/odd', content: '' },
  { role: 'assistant', content: 'Two kinds.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'And this?' },
      { type: 'image_url', image_url: { url: picture } },
    ],
  },
  { role: 'assistant', content: null, tool_calls: [call('c3', 'search', '{}')] },
]

describe.skipIf(program === null)(`A session of another SDK in ${withProgram}`, () => {
  it('is resumed, and again after what this SDK has added to it', async () => {
    const api = await started()
    const cwd = newFolder()
    const store = memory()
    const manager = new SessionManager(store)
    await manager.startSession({ sessionId: 'chat-1', metadata: { title: 'Tea' } })
    await manager.recordMessages('chat-1', recorded)
    const sessionStore = new TurnstoreSessionStore({ store })
    const key = await sessionStore.copySession('chat-1', { projectKey: projectOf(cwd) })
    const rendered = await sessionStore.load(key)
    const { result, mirrorErrors } = await ask('Act.', api.url, { cwd, sessionStore, resume: key.sessionId })
    expect([result, mirrorErrors, api.refused]).toEqual([expect.stringMatching(/^Seen/), [], []])
    const told = api.asked.at(-1) ?? []
    // The last turn has no answer: the SDK gives one in its place.
    const answer = 'No response requested.'
    expect(textsIn(told)).toEqual(['Is there tea?', 'I look.', 'Two kinds.', 'And this?', answer, 'Act.'])
    const blocks = told.flatMap(({ content }) => content)
    expect(blocks.filter(({ type }) => type === 'tool_use').map(({ name }) => name)).toEqual([
      'search',
      'count',
      'search',
      'Bash',
    ])
    expect(blocks.filter(({ type }) => type === 'image')).toHaveLength(1)
    const found = await new TurnstoreSessionStore({ store }).load(key)
    expect(found?.slice(0, rendered?.length)).toEqual(rendered)

    const again = await ask('And now?', api.url, {
      cwd,
      sessionStore: new TurnstoreSessionStore({ store }),
      resume: key.sessionId,
    })
    expect([again.result, api.refused]).toEqual([expect.stringMatching(/^Seen/), []])
    expect(textsIn(api.asked.at(-1) ?? [])).toEqual([...textsIn(told), result, 'And now?'])
    // The session that was copied is as it was.
    expect(await manager.getMessages('chat-1', { exact: true })).toEqual(recorded)
  })

  it('goes to and fro: what another SDK adds is resumed here, and what is added here is read there', async () => {
    const api = await started()
    const cwd = newFolder()
    const store = memory()
    const first = await ask('Act.', api.url, { cwd, sessionStore: new TurnstoreSessionStore({ store }) })
    const [sessionId = ''] = await store.listSessions()
    const session = new TurnstoreSession({ store, sessionId })
    const items = await session.getItems()
    expect(items.map(item => ('role' in item ? item.role : item.type)).filter(role => role !== 'system')).toEqual([
      'user',
      'function_call',
      'function_call_result',
      'assistant',
    ])
    const added: AgentInputItem[] = [
      { type: 'message', role: 'user', content: 'Which?' },
      { type: 'function_call', callId: 'x1', name: 'search', arguments: '{"of":"tea"}', status: 'completed' },
      {
        type: 'function_call_result',
        callId: 'x1',
        name: 'search',
        status: 'completed',
        output: { type: 'text', text: 'Green.' },
      },
      {
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'Green tea.' }],
      },
    ]
    await session.addItems(added)
    const second = await ask('And now?', api.url, {
      cwd,
      sessionStore: new TurnstoreSessionStore({ store }),
      resume: first.sessionId,
    })
    expect([second.sessionId, api.refused]).toEqual([first.sessionId, []])
    const told = api.asked.at(-1) ?? []
    expect(textsIn(told)).toEqual(['Act.', first.result, 'Which?', 'Green tea.', 'And now?'])
    expect([...resultsIn(told).keys()]).toEqual(['claude-1', 'x1'])
    expect((await session.getItems()).slice(items.length, items.length + added.length)).toEqual(added)
    expect((await store.loadSession(sessionId))?.turns.map(({ prompt, status }) => [prompt, status])).toEqual([
      ['Act.', 'success'],
      ['Which?', 'success'],
      ['And now?', 'success'],
    ])
  })
})
