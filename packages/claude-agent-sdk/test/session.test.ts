import { SessionManager } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import {
  type FoldSessionSummary,
  type SessionKey,
  type SessionStoreEntry,
  TurnstoreSessionStore,
} from '../src/index.ts'
import { asks, calls, entry, gives, key, mode, says } from './entries.ts'
import { memory, stores } from './stores.ts'

const subagent = { ...key, subpath: 'subagents/agent-a1' }

/** An exchange with two parallel calls, of which one fails. */
const exchange = [
  { type: 'queue-operation', operation: 'enqueue', timestamp: '2026-02-03T10:00:00.000Z', sessionId: key.sessionId },
  asks('u1', 'Is there tea?'),
  says('u2', 'I look.'),
  calls('u3', 'c1'),
  calls('u4', 'c2'),
  gives('u5', 'u3', 'c1'),
  gives('u6', 'u4', 'c2', true),
  says('u7', 'Two kinds.'),
]

describe.each(stores)('A session in the store %s', (_name, open) => {
  it('gives what was appended, in order, and null for what was not', async () => {
    const store = new TurnstoreSessionStore({ store: open() })
    expect(await store.load(key)).toBe(null)
    await store.append(key, [])
    expect(await store.load(key)).toBe(null)
    await store.append(key, exchange.slice(0, 3))
    await store.append(key, [])
    await store.append(key, exchange.slice(3))
    expect(await store.load(key)).toEqual(exchange)
  })

  it('is apart from its subagents, from other sessions, and from the same id in another project', async () => {
    const store = new TurnstoreSessionStore({ store: open() })
    const keys: SessionKey[] = [
      key,
      subagent,
      { ...key, sessionId: 'other' },
      { ...key, projectKey: 'other' },
      { ...key, subpath: 'b' },
    ]
    for (const [index, each] of keys.entries()) await store.append(each, [asks('u1', `${index}`)])
    for (const [index, each] of keys.entries()) expect(await store.load(each)).toMatchObject([asksIn(`${index}`)])
    expect((await store.listSubkeys(key)).toSorted()).toEqual(['b', subagent.subpath])
    expect(await store.listSubkeys({ projectKey: 'other', sessionId: key.sessionId })).toEqual([])
  })

  it('is listed with its time, without subagents', async () => {
    const backend = open()
    const store = new TurnstoreSessionStore({ store: backend })
    const before = Date.now()
    await store.append(subagent, exchange)
    expect(await store.listSessions(key.projectKey)).toEqual([])
    await store.append(key, exchange)
    await store.append({ ...key, sessionId: 'two' }, exchange)
    await store.append({ ...key, projectKey: 'other' }, exchange)
    const listed = await store.listSessions(key.projectKey)
    expect(listed.map(({ sessionId }) => sessionId).toSorted()).toEqual([key.sessionId, 'two'])
    for (const { mtime } of listed) expect(mtime >= before && mtime <= Date.now() && Number.isInteger(mtime)).toBe(true)
    // A fork in Turnstore has the metadata of the session, and is none of the SDK's.
    const [other] = (await backend.querySessions({ parentSessionId: null, workspaceId: 'other' })).sessions
    await new SessionManager(backend).forkSession(other?.sessionId ?? '')
    expect(await store.listSessions('other')).toHaveLength(1)
    expect(await store.listSubkeys({ projectKey: 'other', sessionId: key.sessionId })).toEqual([])
  })

  it('is deleted with its subagents, and alone with a subpath', async () => {
    const backend = open()
    const store = new TurnstoreSessionStore({ store: backend })
    const other = { ...key, sessionId: 'other' }
    for (const each of [key, subagent, { ...key, subpath: 'b' }, other, { ...other, subpath: 'b' }])
      await store.append(each, exchange)
    await store.delete(subagent)
    expect(await store.listSubkeys(key)).toEqual(['b'])
    expect(await store.load(key)).toEqual(exchange)
    await store.delete(key)
    expect([await store.load(key), await store.load({ ...key, subpath: 'b' }), await store.listSubkeys(key)]).toEqual([
      null,
      null,
      [],
    ])
    expect(await store.listSubkeys(other)).toEqual(['b'])
    expect(await backend.listSessions()).toHaveLength(2)
    await store.delete({ projectKey: 'x', sessionId: 'never' })
    await store.append(key, exchange)
    expect(await store.load(key)).toEqual(exchange)
  })

  it('takes project keys that are longer than ids, and keys of any characters', async () => {
    const backend = open()
    const store = new TurnstoreSessionStore({ store: backend })
    const hostile = [
      'p'.repeat(5_000),
      `${'p'.repeat(5_000)}!`,
      '../..',
      'é\u0000\u200b',
      '__proto__',
      "'; DROP TABLE turns",
    ]
    for (const text of hostile)
      await store.append({ projectKey: text, sessionId: text, subpath: text }, [asks('u1', text.slice(0, 9))])
    for (const text of hostile) {
      expect(await store.load({ projectKey: text, sessionId: text, subpath: text })).toMatchObject([
        asksIn(text.slice(0, 9)),
      ])
      expect(await store.listSubkeys({ projectKey: text, sessionId: text })).toEqual([text])
      await store.append({ projectKey: text, sessionId: text }, exchange)
      expect(await store.listSessions(text)).toMatchObject([{ sessionId: text }])
    }
  })

  it('loses nothing when appends race, in one process', async () => {
    const backend = open()
    const writers = ['a', 'b', 'c'].map(name => ({ name, store: new TurnstoreSessionStore({ store: backend }) }))
    await Promise.all(
      writers.flatMap(({ name, store }) =>
        Array.from({ length: 8 }, async (_, index) =>
          store.append(key, [asks(`${name}${index}`, name), mode('normal')]),
        ),
      ),
    )
    const entries = (await new TurnstoreSessionStore({ store: backend }).load(key)) ?? []
    expect(entries.filter(({ type }) => type === 'mode')).toHaveLength(24)
    for (const { name } of writers) {
      const own = entries.flatMap(({ uuid = '' }) => (uuid.startsWith(name) ? [uuid] : []))
      expect(own).toEqual(Array.from({ length: 8 }, (_, index) => `${name}${index}`))
    }
  })
})

describe('People who read a session', () => {
  it('see the prompt, the calls with their results, and the response, whenever each came', async () => {
    for (const size of [1, 3, exchange.length]) {
      const backend = memory()
      const store = new TurnstoreSessionStore({ store: backend, agentId: 'claude' })
      for (let at = 0; at < exchange.length; at += size) await store.append(key, exchange.slice(at, at + size))
      const { sessions } = await backend.querySessions()
      expect(sessions).toMatchObject([
        {
          workspaceId: key.projectKey,
          agentId: 'claude',
          turnCount: 1,
          lastTurn: { prompt: 'Is there tea?', status: 'success' },
          metadata: {
            title: 'Is there tea?',
            claudeProject: key.projectKey,
            claudeSession: key.sessionId,
            claudeSubpath: null,
          },
        },
      ])
      const manager = new SessionManager(backend)
      expect(await manager.getMessages(sessions[0]?.sessionId ?? '')).toEqual([
        { role: 'user', content: 'Is there tea?' },
        { role: 'assistant', content: null, tool_calls: [callOf('c1')] },
        { role: 'tool', tool_call_id: 'c1', content: 'output of c1' },
        { role: 'assistant', content: null, tool_calls: [callOf('c2')] },
        { role: 'tool', tool_call_id: 'c2', content: 'output of c2' },
        { role: 'assistant', content: 'Two kinds.' },
      ])
      const [turn] = await manager.getTurns(sessions[0]?.sessionId ?? '')
      expect(turn).toMatchObject({
        startedAt: '2026-02-03T10:00:00.000Z',
        endedAt: exchange.at(-1)?.timestamp,
        metadata: { model: 'm' },
        toolCalls: [
          { callId: 'c1', status: 'success', result: 'output of c1', error: null },
          { callId: 'c2', status: 'error', error: 'output of c2' },
        ],
      })
    }
  })

  it('see that a session died while a tool ran', async () => {
    const backend = memory()
    await new TurnstoreSessionStore({ store: backend }).append(key, exchange.slice(0, 6))
    const { sessions } = await backend.querySessions({ lastTurnStatus: 'running' })
    expect(sessions).toHaveLength(1)
    const [id = ''] = sessions.map(({ sessionId }) => sessionId)
    expect((await backend.loadSession(id))?.turns[0]?.toolCalls.map(({ status }) => status)).toEqual([
      'success',
      'running',
    ])
  })

  it('see the title given by hand before that of the model before the first prompt', async () => {
    const backend = memory()
    const store = new TurnstoreSessionStore({ store: backend })
    const titles: unknown[] = []
    const append = async (...entries: SessionStoreEntry[]): Promise<void> => {
      await store.append(key, entries)
      titles.push((await backend.querySessions()).sessions[0]?.metadata.title)
    }
    await append(mode('normal'))
    await append(asks('u1', `${'x'.repeat(199)}😀`))
    await append(asks('u2', 'Later'))
    await append(entry('u3', 'ai-title', { aiTitle: 'Made' }))
    await append(entry('u4', 'custom-title', { customTitle: 'Given' }))
    await append(entry('u5', 'ai-title', { aiTitle: 'Made again' }))
    expect(titles).toEqual([undefined, 'x'.repeat(199), 'x'.repeat(199), 'Made', 'Given', 'Given'])
  })

  it('see that a turn that another process has begun is over', async () => {
    const backend = memory()
    const store = new TurnstoreSessionStore({ store: backend })
    await store.append(key, exchange.slice(0, 5))
    await new TurnstoreSessionStore({ store: backend }).append(key, exchange.slice(5))
    const [id = ''] = await backend.listSessions()
    expect((await backend.loadSession(id))?.turns).toMatchObject([{ status: 'success', responseContent: 'Two kinds.' }])
  })
})

/** Counts entries, and remembers the last uuid. */
const fold: FoldSessionSummary = (previous, { sessionId }, entries, options) => ({
  sessionId,
  mtime: options?.mtime ?? previous?.mtime ?? 0,
  data: {
    count: Number(previous?.data.count ?? 0) + entries.length,
    last: entries.at(-1)?.uuid ?? previous?.data.last,
  },
})

describe.each(stores)('The summaries in the store %s', (_name, open) => {
  it('are folded over all entries once, whoever appends them and however often', async () => {
    const backend = open()
    const [one, other] = [0, 1].map(() => new TurnstoreSessionStore({ store: backend, foldSessionSummary: fold }))
    await Promise.all(
      Array.from({ length: 10 }, async (_, index) =>
        (index % 2 === 0 ? one : other)?.append(key, [asks(`u${index}`, 'x'), mode('m')]),
      ),
    )
    await one?.append(subagent, exchange)
    await other?.append(key, [asks('u3', 'x')])
    const [summary] = (await one?.listSessionSummaries(key.projectKey)) ?? []
    expect(summary?.data.count).toBe(20)
    expect(await one?.listSessionSummaries(key.projectKey)).toHaveLength(1)
    expect(summary?.mtime).toBe((await one?.listSessions(key.projectKey))?.[0]?.mtime)
    await new TurnstoreSessionStore({ store: backend, foldSessionSummary: fold }).append(key, [
      asks('u1', 'x'),
      asks('new', 'x'),
    ])
    expect((await one?.listSessionSummaries(key.projectKey))?.[0]?.data).toEqual({ count: 21, last: 'new' })
    await one?.delete(key)
    expect(await one?.listSessionSummaries(key.projectKey)).toEqual([])
  })

  it('have the time of their session, where the clock of another writer is ahead', async () => {
    const backend = open()
    const store = new TurnstoreSessionStore({ store: backend, foldSessionSummary: fold })
    await store.append(key, [asks('u1', 'x')])
    const [id = ''] = await backend.listSessions()
    await backend.changeSession(id, {
      setMetadata: { ahead: true },
      updatedAt: new Date(Date.now() + 60_000).toISOString(),
    })
    await store.append(key, [asks('u2', 'x')])
    const [summary] = await store.listSessionSummaries(key.projectKey)
    expect(summary).toMatchObject({ mtime: (await store.listSessions(key.projectKey))[0]?.mtime, data: { count: 2 } })
  })

  it('are old, as the SDK must see, where a writer does not fold', async () => {
    const backend = open()
    await new TurnstoreSessionStore({ store: backend, foldSessionSummary: fold }).append(key, [asks('u1', 'x')])
    await new Promise(resolve => {
      setTimeout(resolve, 5)
    })
    const store = new TurnstoreSessionStore({ store: backend })
    await store.append(key, [asks('u2', 'x')])
    const [summary] = await store.listSessionSummaries(key.projectKey)
    expect(summary?.mtime).toBeLessThan((await store.listSessions(key.projectKey))[0]?.mtime ?? 0)
    // Whoever folds next folds what was left out.
    const folding = new TurnstoreSessionStore({ store: backend, foldSessionSummary: fold })
    await folding.append(key, [asks('u3', 'x')])
    const [whole] = await folding.listSessionSummaries(key.projectKey)
    expect(whole).toMatchObject({ data: { count: 3 }, mtime: (await folding.listSessions(key.projectKey))[0]?.mtime })
  })

  it('are of all entries where a session was stored without them, or is a copy', async () => {
    const backend = open()
    await new TurnstoreSessionStore({ store: backend }).append(key, exchange)
    const store = new TurnstoreSessionStore({ store: backend, foldSessionSummary: fold })
    const [id = ''] = await backend.listSessions()
    const copy = await store.copySession(id, { projectKey: 'copies' })
    const count = exchange.length
    expect(await store.listSessionSummaries('copies')).toMatchObject([
      { data: { count }, mtime: (await store.listSessions('copies'))[0]?.mtime },
    ])
    for (const each of [key, copy]) {
      await store.append(each, [asks('more', 'x')])
      expect((await store.listSessionSummaries(each.projectKey))[0]?.data.count).toBe(count + 1)
    }
  })

  it('are none of a copy with nothing to resume, which has no entries', async () => {
    const backend = open()
    await backend.saveSession({ sessionId: 'empty' })
    const store = new TurnstoreSessionStore({ store: backend, foldSessionSummary: fold })
    expect(await store.load(await store.copySession('empty', { projectKey: 'copies' }))).toBeNull()
    expect(await store.listSessionSummaries('copies')).toEqual([])
  })
})

describe('A replay', () => {
  it('is not what two writers append at the same place, even if it is equal', async () => {
    const backend = memory()
    await new TurnstoreSessionStore({ store: backend }).append(key, exchange)
    const writers = [0, 1].map(() => new TurnstoreSessionStore({ store: backend }))
    for (const each of writers) await each.load(key)
    for (const each of writers) await each.append(key, [mode('plan')])
    expect((await writers[0]?.load(key))?.slice(exchange.length)).toEqual([mode('plan'), mode('plan')])
  })

  it('that begins without a uuid is recognized by the entry after it, or as the beginning of the session', async () => {
    const backend = memory()
    const list = [mode('a'), mode('b'), asks('u1', 'x'), mode('a'), mode('a'), says('u2', 'y'), mode('a')]
    const store = new TurnstoreSessionStore({ store: backend })
    await store.append(key, list)
    await store.append(key, list.slice(3, 6))
    await store.append(key, list.slice(4, 6))
    await new TurnstoreSessionStore({ store: backend }).append(key, list.slice(0, 2))
    expect(await store.load(key)).toEqual(list)
  })

  it('is not what an entry without a uuid is that comes again later', async () => {
    const backend = memory()
    const list = [mode('a'), asks('u1', 'x'), mode('b')]
    const store = new TurnstoreSessionStore({ store: backend })
    for (const each of list) await store.append(key, [each])
    // After a load, this writer goes on at the end.
    const next = new TurnstoreSessionStore({ store: backend })
    await next.load(key)
    await next.append(key, [mode('a')])
    await next.append(key, [mode('a')])
    await store.append(key, [mode('b')])
    expect((await store.load(key))?.slice(list.length)).toEqual([mode('a'), mode('a'), mode('b')])
  })

  it('after a write of which nobody knows whether it happened stores what is missing', async () => {
    for (const isStored of [false, true]) {
      const backend = memory()
      const store = new TurnstoreSessionStore({ store: backend })
      await store.append(key, exchange)
      const change = backend.changeSession.bind(backend)
      const broken: typeof change = async (...args) => {
        if (isStored) await change(...args)
        throw new Error('the connection broke')
      }
      backend.changeSession = broken
      const batch = [mode('plan'), asks('u8', 'And now?'), mode('plan')]
      const last = [mode('auto')]
      await expect(store.append(key, batch)).rejects.toThrow('the connection broke')
      backend.changeSession = change
      await store.append(key, batch)
      expect(await store.load(key)).toEqual([...exchange, ...batch])
      // Nothing tells but that the call is the same one again.
      backend.changeSession = broken
      await expect(store.append(key, last)).rejects.toThrow('the connection broke')
      backend.changeSession = change
      await store.append(key, last)
      expect(await store.load(key)).toEqual([...exchange, ...batch, ...last])
    }
  })
})

describe('A result', () => {
  it('that comes together with the next prompt belongs to the call of the turn before', async () => {
    const backend = memory()
    const store = new TurnstoreSessionStore({ store: backend })
    for (const batch of [[asks('u1', 'Is there tea?'), calls('u2', 'c1')], [says('u3', 'A moment.')]]) {
      await store.append(key, batch)
    }
    await store.append(key, [asks('u4', 'And coffee?'), gives('u5', 'u2', 'c1')])
    const [id = ''] = await backend.listSessions()
    const statuses = (await backend.loadSession(id))?.turns.map(({ toolCalls }) =>
      toolCalls.map(({ status }) => status),
    )
    expect(statuses).toEqual([['success'], []])
  })

  it('that comes after the next prompt belongs to the call of the turn before', async () => {
    const backend = memory()
    const store = new TurnstoreSessionStore({ store: backend })
    const list = [
      asks('u1', 'Look.'),
      calls('u2', 'c1'),
      asks('u3', 'Faster!'),
      gives('u4', 'u2', 'c1'),
      says('u5', 'Seen.'),
    ]
    for (const each of list) await store.append(key, [each])
    const [id = ''] = await backend.listSessions()
    expect((await backend.loadSession(id))?.turns).toMatchObject([
      { prompt: 'Look.', toolCalls: [{ status: 'success', result: 'output of c1' }] },
      { prompt: 'Faster!', toolCalls: [], responseContent: 'Seen.' },
    ])
    expect(await store.load(key)).toEqual(list)
  })
})

describe('What is refused', () => {
  it('is named, and not quoted', async () => {
    const store = new TurnstoreSessionStore({ store: memory() })
    const circle: SessionStoreEntry = { type: 'secret' }
    circle.self = circle
    await expect(store.append(key, [circle])).rejects.toMatchObject({
      code: 'INVALID_RECORD',
      message: 'entries[0] is no JSON object',
    })
    await expect(store.append({ ...key, projectKey: '' }, exchange)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(store.append({ ...key, subpath: '' }, exchange)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(store.listSessions('')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(store.copySession('none', key)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    await store.append(key, exchange)
  })

  it('does not lose what comes after it', async () => {
    const store = new TurnstoreSessionStore({ store: memory() })
    await store.append(key, exchange.slice(0, 2))
    const deep: SessionStoreEntry = entry('deep', 'attachment')
    let at: Record<string, unknown> = deep
    for (let depth = 0; depth < 200; depth++) at = at.more = {}
    await expect(store.append(key, [deep])).rejects.toMatchObject({ code: 'INVALID_RECORD' })
    await store.append(key, exchange.slice(2))
    expect(await store.load(key)).toEqual(exchange)
  })
})

describe('A turn that is as large as a turn may be', () => {
  it('is followed by another, and all entries come back', async () => {
    const { InMemorySessionStore } = await import('@turnstore/memory')
    const backend = new InMemorySessionStore({ limits: { turnBytes: 20_000 } })
    const store = new TurnstoreSessionStore({ store: backend })
    const list = [asks('u1', 'Go.'), ...Array.from({ length: 40 }, (_, index) => says(`a${index}`, 'x'.repeat(1_000)))]
    for (const each of list) await store.append(key, [each])
    expect(await store.load(key)).toEqual(list)
    const [id = ''] = await backend.listSessions()
    expect((await backend.loadSession(id))?.turns.length).toBeGreaterThan(2)
    await backend.close()
  })
})

function asksIn(text: string): object {
  return { message: { content: [{ type: 'text', text }] } }
}

function callOf(id: string): object {
  return { id, type: 'function', function: { name: 'Bash', arguments: JSON.stringify({ command: `echo ${id}` }) } }
}
