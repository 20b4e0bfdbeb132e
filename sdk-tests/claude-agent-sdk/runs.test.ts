import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  deleteSession,
  foldSessionSummary,
  forkSession,
  getSessionMessages,
  importSessionToStore,
  InMemorySessionStore,
  listSessions,
  listSubagents,
  renameSession,
  type SessionStore,
  tagSession,
} from '@anthropic-ai/claude-agent-sdk'
import { SessionManager } from '@turnstore/core'
import { TurnstoreSessionStore } from '@turnstore/claude-agent-sdk'
import { describe, expect, it, onTestFinished } from 'vitest'
import { memory, newFolder, stores } from '../stores.ts'
import { ask, emptyMachine, program, projectOf, withProgram } from './agent.ts'
import { type Answer, type FakeApi, resultsIn, says, startApi, textsIn, wants } from './fake-api.ts'

async function started(answer: Answer): Promise<FakeApi> {
  const api = await startApi(answer)
  onTestFinished(async () => api.stop())
  return api
}

/** Two calls at once, and then an answer that counts the results. */
const echoes: Answer = messages => {
  const results = resultsIn(messages)
  if (textsIn(messages).length === 1 && results.size === 0) {
    return [
      says('Let me see.'),
      wants('a', 'Bash', { command: 'echo one' }),
      wants('b', 'Bash', { command: 'echo two; exit 3' }),
    ]
  }
  return [says(`After ${results.size} results.`)]
}

describe('The SDK', () => {
  it('takes the class as its SessionStore, with all that is optional', () => {
    const store: Required<SessionStore> = new TurnstoreSessionStore({ store: memory(), foldSessionSummary })
    for (const name of ['append', 'load', 'listSessions', 'listSessionSummaries', 'delete', 'listSubkeys'] as const) {
      expect(store[name]).toBeTypeOf('function')
    }
  })
})

describe.skipIf(program === null)(`A session of ${withProgram}`, () => {
  it.each(stores)(
    'goes on in another process with an empty configuration folder, in the store %s',
    async (_name, open) => {
      const api = await started(echoes)
      const cwd = newFolder()
      const backend = open()
      const first = await ask('Act.', api.url, {
        cwd,
        sessionStore: new TurnstoreSessionStore({ store: backend, foldSessionSummary }),
      })
      expect(first).toMatchObject({ result: 'After 2 results.', mirrorErrors: [] })
      const sessionStore = new TurnstoreSessionStore({ store: backend, foldSessionSummary })
      const key = { projectKey: projectOf(cwd), sessionId: first.sessionId }
      const before = await sessionStore.load(key)
      const second = await ask('And now?', api.url, { cwd, sessionStore, resume: first.sessionId })
      expect(second).toEqual({ sessionId: first.sessionId, result: 'After 2 results.', mirrorErrors: [] })
      expect(api.refused).toEqual([])
      expect(textsIn(api.asked.at(-1) ?? [])).toEqual(['Act.', 'Let me see.', 'After 2 results.', 'And now?'])
      const after = await sessionStore.load(key)
      expect(after?.slice(0, before?.length)).toEqual(before)

      const [sessionId = ''] = await backend.listSessions()
      const messages = await new SessionManager(backend).getMessages(sessionId)
      expect(messages.map(({ role }) => role)).toEqual([
        'user',
        'assistant',
        'tool',
        'assistant',
        'tool',
        'assistant',
        'user',
        'assistant',
      ])
      const turns = (await backend.loadSession(sessionId))?.turns ?? []
      expect(turns).toMatchObject([
        {
          prompt: 'Act.',
          status: 'success',
          responseContent: 'After 2 results.',
          toolCalls: [
            { toolName: 'Bash', status: 'success', result: 'one' },
            { toolName: 'Bash', status: 'error', error: 'Exit code 3\ntwo' },
          ],
        },
        { prompt: 'And now?', status: 'success', responseContent: 'After 2 results.', toolCalls: [] },
      ])
    },
  )

  it('is stored as the SDK’s own store has it', async () => {
    const api = await started(echoes)
    const cwd = newFolder()
    const [theirs, ours] = [
      new InMemorySessionStore(),
      new TurnstoreSessionStore({ store: memory(), foldSessionSummary }),
    ]
    const both: SessionStore = {
      async append(key, entries) {
        await theirs.append(key, entries)
        await ours.append(key, entries)
      },
      load: async key => theirs.load(key),
    }
    const { sessionId } = await ask('Act.', api.url, { cwd, sessionStore: both })
    const key = { projectKey: projectOf(cwd), sessionId }
    expect(await ours.load(key)).toEqual(await theirs.load(key))
    expect(await ours.load(key)).not.toBe(null)
    const [summary] = await theirs.listSessionSummaries(key.projectKey)
    expect((await ours.listSessionSummaries(key.projectKey))[0]?.data).toEqual(summary?.data)
  })

  it('is listed, named, tagged, read, forked, imported and deleted by the functions of the SDK', async () => {
    const api = await started(echoes)
    const dir = newFolder()
    const backend = memory()
    const loads: string[] = []
    const sessionStore = new TurnstoreSessionStore({ store: backend, foldSessionSummary })
    const load = sessionStore.load.bind(sessionStore)
    sessionStore.load = async key => {
      loads.push(key.sessionId)
      return load(key)
    }
    const { sessionId } = await ask('Act.', api.url, { cwd: dir, sessionStore })
    expect(await listSessions({ dir, sessionStore })).toMatchObject([
      { sessionId, summary: 'Act.', firstPrompt: 'Act.', cwd: dir },
    ])
    await renameSession(sessionId, 'Errand', { dir, sessionStore })
    await tagSession(sessionId, 'urgent', { dir, sessionStore })
    expect(await listSessions({ dir, sessionStore })).toMatchObject([{ sessionId, summary: 'Errand', tag: 'urgent' }])
    expect(loads).toEqual([])
    expect((await backend.querySessions()).sessions).toMatchObject([{ metadata: { title: 'Errand' } }])
    const types = (await getSessionMessages(sessionId, { dir, sessionStore })).map(({ type }) => type)
    expect(types).toEqual(['user', 'assistant', 'assistant', 'assistant', 'user', 'user', 'assistant'])
    const fork = await forkSession(sessionId, { dir, sessionStore })
    expect((await listSessions({ dir, sessionStore })).map(each => each.sessionId).toSorted()).toEqual(
      [sessionId, fork.sessionId].toSorted(),
    )
    const resumed = await ask('And now?', api.url, { cwd: dir, sessionStore, resume: fork.sessionId })
    expect(resumed.result).toBe('After 2 results.')
    await deleteSession(sessionId, { dir, sessionStore })
    expect((await listSessions({ dir, sessionStore })).map(each => each.sessionId)).toEqual([fork.sessionId])
    expect(api.refused).toEqual([])
  })

  it('is not doubled when its file is imported, and imported again in other batches', async () => {
    const api = await started(echoes)
    const dir = newFolder()
    const config = newFolder()
    const sessionStore = new TurnstoreSessionStore({ store: memory(), foldSessionSummary })
    const env = { ...emptyMachine(api.url), CLAUDE_CONFIG_DIR: config }
    const { sessionId } = await ask('Act.', api.url, { cwd: dir, sessionStore, env })
    const key = { projectKey: projectOf(dir), sessionId }
    const mirrored = (await sessionStore.load(key)) ?? []
    process.env.CLAUDE_CONFIG_DIR = config
    onTestFinished(() => {
      delete process.env.CLAUDE_CONFIG_DIR
    })
    const file = readFileSync(join(config, 'projects', key.projectKey, `${sessionId}.jsonl`), 'utf8')
    const lines: unknown[] = file
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    const again = new TurnstoreSessionStore({ store: memory(), foldSessionSummary })
    for (const batchSize of [500, 1, 3]) {
      await importSessionToStore(sessionId, again, { dir, batchSize })
      expect(await again.load(key)).toEqual(lines)
      // The file has lines that the SDK does not mirror: those are added, and nothing else.
      await importSessionToStore(sessionId, sessionStore, { dir, batchSize })
      const entries = (await sessionStore.load(key)) ?? []
      expect(entries.slice(0, mirrored.length)).toEqual(mirrored)
      expect(entries).toHaveLength(lines.length)
    }
  })

  it('has its subagents as sessions of their own, which go with it', async () => {
    const api = await started(messages => {
      const isSubagent = textsIn(messages).some(text => text.includes('Look around.'))
      if (isSubagent) return [says('Nothing here.')]
      if (resultsIn(messages).size > 0) return [says('Seen.')]
      return [
        wants('t', 'Agent', {
          description: 'Look',
          prompt: 'Look around.',
          subagent_type: 'general-purpose',
          run_in_background: false,
        }),
      ]
    })
    const cwd = newFolder()
    const backend = memory()
    const sessionStore = new TurnstoreSessionStore({ store: backend, foldSessionSummary })
    const { sessionId, result } = await ask('Act.', api.url, { cwd, sessionStore })
    expect(result).toBe('Seen.')
    const key = { projectKey: projectOf(cwd), sessionId }
    const subkeys = await sessionStore.listSubkeys(key)
    expect(subkeys.length).toBeGreaterThan(0)
    expect(await listSubagents(sessionId, { dir: cwd, sessionStore })).toHaveLength(1)
    expect(await listSessions({ dir: cwd, sessionStore })).toHaveLength(1)
    const { sessions } = await backend.querySessions()
    const main = sessions.find(each => each.parentSessionId === null)
    const subagents = sessions.filter(each => each.parentSessionId === main?.sessionId)
    expect(subagents.map(each => each.metadata.claudeSubpath)).toEqual(expect.arrayContaining(subkeys))
    expect(subagents.some(each => each.lastTurn?.prompt === 'Look around.')).toBe(true)
    await ask('And now?', api.url, { cwd, sessionStore, resume: sessionId })
    expect(api.refused).toEqual([])
    await sessionStore.delete(key)
    expect(await backend.listSessions()).toEqual([])
  })
})
