import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTurn, SessionManager, type TurnRecord } from '@turnstore/core'
import { describe, expect, it, vi } from 'vitest'
import { append, at, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import type { FileSessionStore } from '../../src/index.ts'
import { LockFolder } from '../../src/locks/lock-folder.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const document = (): string => folder.path('s.json')
const journal = (): string => folder.path('s.journal')
const files = (): string[] => readdirSync(folder.base).toSorted()

async function eventually(isMet: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isMet()); tries++) {
    if (tries > 2000) throw new Error('the condition was never met')
    await sleep(5)
  }
}

const large = (turnId: string): TurnRecord =>
  createTurn({ turnId, prompt: 'x'.repeat(2000), metadata: { list: [1, { a: null }] } })

async function leaveLargeSession(turns: number): Promise<FileSessionStore> {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  const appendTurns = Array.from({ length: turns }, (_, i) => large(`t${i}`))
  await store.saveSession({ sessionId: 's', createdAt: at, turns: appendTurns })
  return store
}

describe('the journal is compacted into the document', () => {
  it('when the session ends', async () => {
    const manager = new SessionManager(folder.open())
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't' })
    expect(files()).toEqual(['.turnstore', 's.journal', 's.json'])
    await manager.endSession('s')
    await eventually(() => files().length === 2)
    expect(JSON.parse(readFileSync(document(), 'utf8'))).toMatchObject({
      metadata: { ended: true },
      revision: 3,
      turns: [{ turn_id: 't' }],
    })
  })

  it('once when the session ends, not for each change after that, and again when it has outgrown the document', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 't', prompt: 'x'.repeat(100_000) }] })
    await store.changeSession('s', { setMetadata: { ended: true }, updatedAt: at })
    await eventually(() => files().length === 2)
    const { ino } = statSync(folder.path('s.json'))
    for (let change = 0; change < 10; change++) {
      await store.changeSession('s', append(`after${change}`))
      await sleep(30)
      expect([change, statSync(document()).ino]).toEqual([change, ino])
    }
    await store.changeSession('s', { appendTurns: [{ turnId: 'long', prompt: 'x'.repeat(400_000) }], updatedAt: at })
    await eventually(() => files().length === 2)
    await store.changeSession('s', { setMetadata: { ended: false }, updatedAt: at })
    await store.changeSession('s', { setMetadata: { ended: true }, updatedAt: at })
    await eventually(() => files().length === 2)
  })

  it('when it has outgrown the document, in the background', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    let bytes = 0
    for (let i = 0; !existsSync(document()) || statSync(document()).size < 100_000; i++) {
      await store.changeSession('s', { appendTurns: [large(`t${i}`)], updatedAt: at })
      bytes = Math.max(bytes, existsSync(journal()) ? statSync(journal()).size : 0)
      expect(i).toBeLessThan(2000)
    }
    expect(bytes).toBeGreaterThan(256 * 1024)
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(turnIdsOf(await store.loadSession('s')))
  })

  it('on close, which leaves one plain document per session', async () => {
    const store = folder.open()
    for (let i = 0; i < 20; i++) {
      await store.saveSession({ sessionId: `s${i}`, workspaceId: i % 2 ? 'w' : null, createdAt: at })
      await store.changeSession(`s${i}`, append('t'))
    }
    await store.close()
    const names = readdirSync(folder.base, { recursive: true, encoding: 'utf8' }).filter(
      name => !name.startsWith('.turnstore'),
    )
    expect(names.filter(name => name !== 'w' && !name.endsWith('.json'))).toEqual([])
    expect(names.length).toBe(21)
  })

  it('on close, but not for a small journal beside a large document, until the session ends', async () => {
    await leaveLargeSession(100)
    const { ino, size } = statSync(document())
    await folder.once(store => store.changeSession('s', append('small')))
    expect(files()).toEqual(['.turnstore', 's.journal', 's.json'])
    expect(statSync(document()).ino).toBe(ino)
    await folder.once(store => store.changeSession('s', { setMetadata: { text: 'x'.repeat(size / 3) } }))
    expect(files()).toEqual(['.turnstore', 's.json'])
    await folder.once(store => store.changeSession('s', { unsetMetadata: ['text'], setMetadata: { ended: true } }))
    expect(files()).toEqual(['.turnstore', 's.json'])
    expect((await folder.open().loadSummary('s'))?.turnCount).toBe(101)
  })

  it('on close until the timeout; the rest is complete, and the next writer compacts it', async () => {
    const store = folder.open({ timeoutMs: 40 })
    const ids = Array.from({ length: 60 }, (_, i) => `s${i}`)
    const holder = folder.open()
    for (const sessionId of ids) {
      await holder.saveSession({ sessionId, createdAt: at })
      // On a busy machine, a write may take longer than this store's timeout.
      await vi.waitFor(() => store.changeSession(sessionId, append('t')), 10_000)
    }
    // A session that another handle has locked does not keep the rest from being compacted.
    const blocker = await new LockFolder(folder.path('.turnstore', 'locks')).acquire('s7', 5000)
    await store.close()
    blocker.release()
    for (const id of ids) expect(turnIdsOf(await holder.loadSession(id))).toEqual(['t'])
    for (const id of ids) await holder.changeSession(id, append('next'))
    await holder.close()
    expect(files().filter(name => !name.endsWith('.json'))).toEqual(['.turnstore'])
  })

  it('only by a writer: reading and closing changes nothing', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    await folder.open().changeSession('s', append('t'))
    const before = statSync(document()).mtimeMs
    const reader = folder.open()
    await reader.loadSession('s')
    await reader.querySessions()
    await reader.close()
    expect(files()).toEqual(['.turnstore', 's.journal', 's.json'])
    expect(statSync(document()).mtimeMs).toBe(before)
  })

  it('in the form of the reference: indented by two, its keys in its order, then the others, and no escapes', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at, updatedAt: at })
    await store.changeSession('s', {
      appendTurns: [{ turnId: 'ü', prompt: '日本語 🛫', toolCalls: [{ callId: 'c', toolName: 'f' }] }],
      appendAgentTransitions: [{ toAgent: 'b', transitionId: 'x' }],
      updatedAt: at,
    })
    await store.close()
    const session = {
      session_id: 's',
      workspace_id: null,
      created_at: at,
      updated_at: at,
      agent_id: null,
      turns: [
        {
          turn_id: 'ü',
          agent_id: null,
          prompt: '日本語 🛫',
          response_content: null,
          tool_calls: [
            {
              call_id: 'c',
              tool_name: 'f',
              arguments: {},
              result: null,
              status: 'success',
              error: null,
              duration_ms: null,
              sandbox_context: null,
              metadata: {},
            },
          ],
          started_at: '',
          ended_at: null,
          status: 'success',
          error: null,
          audit_event_ids: [],
          metadata: {},
        },
      ],
      agent_transitions: [
        { from_agent: null, to_agent: 'b', reason: null, turn_id: '', timestamp: '', transition_id: 'x' },
      ],
      metadata: {},
      parent_session_id: null,
      revision: 2,
      schema_version: 1,
    }
    expect(readFileSync(document(), 'utf8')).toBe(JSON.stringify(session, null, 2))
  })
})

describe('during a compaction', () => {
  it('appends and reads continue, and the event loop is not blocked', async () => {
    const turns = 10_000
    const store = await leaveLargeSession(turns)
    await store.changeSession('s', append('before'))
    const time = async (work: () => Promise<unknown>): Promise<number> => {
      const began = performance.now()
      await work()
      return performance.now() - began
    }
    const whole = await time(() => folder.open().loadSession('s'))
    let appended = 0
    const duringOneCompaction = async (): Promise<{ waits: number[]; longestPause: number }> => {
      const inode = statSync(document()).ino
      await store.changeSession('s', { setMetadata: { ended: true, appended }, updatedAt: at })
      const delay = monitorEventLoopDelay({ resolution: 2 })
      const waits: number[] = []
      delay.enable()
      for (; statSync(document()).ino === inode; appended++) {
        waits.push(await time(() => store.changeSession('s', append(`during ${appended}`))))
        expect((await store.readTurns('s', { last: 1 }))?.turns[0]?.turnId).toBe(`during ${appended}`)
        expect(waits.length).toBeLessThan(100_000)
      }
      delay.disable()
      return { waits, longestPause: delay.max / 1e6 }
    }
    // Some appends happen during the compaction, and none waits as long as it takes to read the whole session.
    // Several attempts, since a stalled disk delays an append like a compaction.
    let isShown = false
    for (let attempt = 0; attempt < 10 && !isShown; attempt++) {
      const { waits, longestPause } = await duringOneCompaction()
      const median = waits.toSorted((x, y) => x - y)[waits.length >> 1] ?? Infinity
      isShown = waits.length > 5 && median < whole / 10 && longestPause < whole
    }
    expect(isShown).toBe(true)
    await store.close()
    expect(files()).not.toContain('s.rotated')
    expect((await folder.open().loadSummary('s'))?.turnCount).toBe(turns + 1 + appended)
  })

  it('two processes may repeatedly compact one session at once', async () => {
    await leaveLargeSession(200)
    const code = (name: string): string => `for (let i = 0; i < 25; i++) {
        await store.changeSession('s', append('${name}' + i))
        await store.changeSession('s', { setMetadata: { ended: true, by: '${name}' + i }, updatedAt: at })
      }
      await store.close(); say('done')`
    const children = ['a', 'b'].map(name => folder.run(code(name)))
    for (const child of children) expect(await child.rest()).toEqual(['done'])
    const ids = turnIdsOf(await folder.open().loadSession('s')) ?? []
    for (const name of ['a', 'b']) {
      expect(ids.filter(id => id.startsWith(name))).toEqual(Array.from({ length: 25 }, (_, i) => `${name}${i}`))
    }
    expect(ids.length).toBe(250)
    expect(files()).not.toContain('s.rotated')
  })

  it('readers in another process see whole states, in order', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    const reader = folder.run(`let last = { turnCount: -1, revision: 0 }, reads = 0
      const check = (name, { turnCount, revision }, turns) => {
        if (turnCount < last.turnCount || revision < last.revision) say('back in ' + name)
        // Each change adds a turn, except those that end the session.
        if (turns && turns.some((turn, i) => turn.turnId !== 't' + (i + turnCount - turns.length))) say('a gap in ' + name)
        last = { turnCount, revision }; reads++
      }
      say('ready')
      process.stdin.on('data', () => { say('reads ' + reads); process.exit() })
      for (let i = 0; ; i++) {
        const session = await store.loadSession('s'); check('load', { turnCount: session.turns.length, revision: session.revision }, session.turns)
        const page = await store.readTurns('s', { last: 3 }); check('readTurns', page, page.turns)
        check('summary', await store.loadSummary('s'))
        const fresh = open(); const again = await fresh.loadSession('s'); check('a fresh handle', { turnCount: again.turns.length, revision: again.revision }, again.turns); await fresh.close()
        check('a listing', (await store.querySessions()).sessions[0])
      }`)
    expect(await reader.line()).toBe('ready')
    for (let i = 0; i < 400; i++) {
      await store.changeSession('s', append(`t${i}`))
      // Ends the session, which starts a compaction, or resumes it.
      if (i % 20 === 10) await store.changeSession('s', { setMetadata: { ended: i % 40 === 10 }, updatedAt: at })
    }
    reader.tell('enough')
    const lines = await reader.rest()
    expect(reader.errors).toBe('')
    expect(lines).toEqual([expect.stringMatching(/^reads \d+$/)])
    expect(Number(lines[0]?.slice(6))).toBeGreaterThan(3)
  })
})
