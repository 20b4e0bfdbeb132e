import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type ChangeResult,
  encodeSession,
  type JsonObject,
  type JsonValue,
  type SessionChange,
  type SessionRecord,
} from '@turnstore/core'
import { isJsonObject, isJsonValue } from '@turnstore/core/adapter'
import { describe, expect, it } from 'vitest'
import { momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { append, at, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const script = fileURLToPath(new URL('../reference_store.py', import.meta.url))
const hasPython = spawnSync('python3', ['--version']).status === 0
const needsPython = hasPython ? '' : ' (needs python3)'

const ours = fileURLToPath(new URL('../data/reference-layout', import.meta.url))
const others = fileURLToPath(new URL('../../../../../shared/data/reference-layout', import.meta.url))
const layouts: [string, string, boolean][] = [
  ['the folder beside this test', ours, true],
  ['the folder that is shared with the project', others, existsSync(others)],
]

const folder = new Folder()

/** The reference, in Python. It does not know the journal. */
function reference(command: string, path: string, ...rest: string[]): string {
  return execFileSync('python3', [script, command, path, ...rest], { encoding: 'utf8' })
}

function readByReference(): JsonValue[] {
  const records = parse(reference('read', folder.base))
  return Array.isArray(records) ? records : []
}

function parse(text: string): JsonValue {
  const value: unknown = JSON.parse(text)
  return isJsonValue(value) ? value : null
}

function parseFile(path: string): JsonObject {
  const value = parse(readFileSync(path, 'utf8'))
  return isJsonObject(value) ? value : {}
}

/** All documents of a layout, by path. */
function documentsIn(base: string): string[] {
  return readdirSync(base, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.json'))
}

// The mapping from the wire format, independent of the code under test: a record in TypeScript, with the defaults.
const list = (value: JsonValue | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : [])

function recordOf(raw: JsonObject): JsonObject {
  return {
    sessionId: raw.session_id ?? null,
    workspaceId: raw.workspace_id === '' ? null : (raw.workspace_id ?? null),
    parentSessionId: raw.parent_session_id ?? null,
    agentId: raw.agent_id ?? null,
    createdAt: raw.created_at ?? '',
    updatedAt: raw.updated_at ?? '',
    turns: list(raw.turns).map(turn => ({
      turnId: turn.turn_id ?? null,
      agentId: turn.agent_id ?? null,
      prompt: turn.prompt ?? '',
      responseContent: turn.response_content ?? null,
      toolCalls: list(turn.tool_calls).map(call => ({
        callId: call.call_id ?? null,
        toolName: call.tool_name ?? null,
        arguments: call.arguments ?? {},
        result: call.result ?? null,
        status: call.status ?? 'success',
        error: call.error ?? null,
        durationMs: call.duration_ms ?? null,
        sandboxContext: call.sandbox_context ?? null,
        metadata: call.metadata ?? {},
      })),
      items: [],
      startedAt: turn.started_at ?? '',
      endedAt: turn.ended_at ?? null,
      status: turn.status ?? 'success',
      error: turn.error ?? null,
      auditEventIds: turn.audit_event_ids ?? [],
      metadata: turn.metadata ?? {},
    })),
    agentTransitions: list(raw.agent_transitions).map(each => ({
      transitionId: each.transition_id ?? null,
      fromAgent: each.from_agent ?? null,
      toAgent: each.to_agent ?? null,
      reason: each.reason ?? null,
      turnId: each.turn_id ?? '',
      timestamp: each.timestamp ?? '',
    })),
    metadata: raw.metadata ?? {},
    revision: raw.revision ?? 1,
  }
}

/** A record as the reference has it, without the members that it does not know. */
function asReferenceHasIt(session: SessionRecord | null): JsonValue {
  if (session === null) return null
  const { parent_session_id: _parent, revision: _revision, schema_version: _schema, ...rest } = encodeSession(session)
  const transitions = list(rest.agent_transitions).map(({ transition_id: _id, ...transition }) => transition)
  return { ...rest, agent_transitions: transitions }
}

/** Every name below a folder, with what a write would change. */
function traces(base: string): string[] {
  return readdirSync(base, { recursive: true, encoding: 'utf8' })
    .map(name => {
      const { size, mtimeMs, ctimeMs, mode } = statSync(join(base, name))
      return [name, size, mtimeMs, ctimeMs, mode].join(' ')
    })
    .toSorted()
}

describe.each(layouts)('a folder of the reference: %s', (_name, base, exists) => {
  it.skipIf(!exists)('is read exactly, and not changed', async () => {
    const before = traces(base)
    const store = folder.open({}, base)
    const documents = documentsIn(base)
    const raw = new Map(documents.map(path => [basename(path, '.json'), parseFile(join(base, path))]))
    expect(raw.size).toBeGreaterThan(3)
    for (const [id, document] of raw) expect(await store.loadSession(id)).toEqual(recordOf(document))
    expect((await store.listSessions()).toSorted()).toEqual([...raw.keys()].toSorted())
    const { sessions } = await store.querySessions({ limit: 1000 })
    expect(new Map(sessions.map(({ sessionId, turnCount }) => [sessionId, turnCount]))).toEqual(
      new Map([...raw].map(([id, document]) => [id, list(document.turns).length])),
    )
    await store.close()
    expect(traces(base)).toEqual(before)
  })

  it.skipIf(!exists)('can be read where this account may not write', async () => {
    cpSync(base, folder.base, { recursive: true })
    for (const name of ['', ...readdirSync(folder.base, { recursive: true, encoding: 'utf8' })]) {
      chmodSync(folder.path(name), statSync(folder.path(name)).isDirectory() ? 0o555 : 0o444)
    }
    const before = traces(folder.base)
    const child = folder.run(
      `say(JSON.stringify((await store.listSessions()).length))
      say(JSON.stringify((await store.querySessions({ limit: 1000 })).damaged ?? []))
      const [id] = await store.listSessions()
      say(await store.changeSession(id, append('t')).then(() => 'written', codeOf))
      await store.close()`,
      process.getuid?.() === 0 ? { uid: 65_534 } : {},
    )
    expect(await child.rest()).toEqual([String(documentsIn(base).length), '[]', 'STORE_UNAVAILABLE not-stored'])
    expect(traces(folder.base)).toEqual(before)
    for (const name of ['', ...readdirSync(folder.base, { encoding: 'utf8' })]) chmodSync(folder.path(name), 0o755)
  })

  it.skipIf(!exists || !hasPython)(
    `has the same records for the reference after an append to every document${needsPython}`,
    async () => {
      cpSync(base, folder.base, { recursive: true })
      const store = folder.open()
      const ids = await store.listSessions()
      for (const id of ids) await store.changeSession(id, append('ours'))
      const sessions = await Promise.all(ids.map(id => store.loadSession(id)))
      await store.close()
      const byId = (records: JsonValue[]): JsonValue[] =>
        records.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
      const theirs = readByReference().filter(isJsonObject)
      expect(byId(theirs)).toEqual(byId(sessions.map(asReferenceHasIt)))
      expect(theirs.every(({ turns }) => list(turns).at(-1)?.turn_id === 'ours')).toBe(true)
    },
  )
})

describe('what the store wrote', () => {
  it.skipIf(!hasPython)(`is the same for the reference after close${needsPython}`, async () => {
    const session: SessionRecord = {
      sessionId: 'whole',
      workspaceId: 'acme',
      parentSessionId: null,
      agentId: 'b',
      createdAt: at,
      updatedAt: at,
      turns: [],
      agentTransitions: [],
      metadata: {
        text: 'ü ✈ \u2028 "\\ \u007f',
        nested: { list: [1, 2.5, null, true, -1e-7, 1e300] },
        __proto__: null,
      },
      revision: 1,
    }
    const store = folder.open()
    await store.saveSession(session)
    await store.changeSession('whole', { ...append('t1', 't2'), agentId: 'c' })
    await store.changeSession('whole', {
      updateTurns: [
        {
          turnId: 't1',
          set: { responseContent: '🛫', metadata: { n: 1 } },
          putToolCalls: [{ callId: 'c', toolName: 'f', result: [{ a: 1 }], durationMs: 0.5 }],
        },
      ],
      appendAgentTransitions: [{ toAgent: 'd', transitionId: 'x' }],
      unsetMetadata: ['__proto__'],
      updatedAt: at,
    })
    const loaded = await store.loadSession('whole')
    await store.close()
    expect(readByReference()).toEqual([asReferenceHasIt(loaded)])
  })
})

describe(`the reference rewrites a document beside a journal${needsPython}`, () => {
  const document = (): string => folder.path('s.json')

  it.skipIf(!hasPython)(
    'no turn of either is lost, in an open handle, in a new one, and after a compaction',
    async () => {
      const store = folder.open()
      await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'first' }] })
      await store.changeSession('s', append('a', 'b'))
      reference('append', document(), 'theirs')
      const both = ['first', 'theirs', 'a', 'b']
      expect(turnIdsOf(await store.loadSession('s'))).toEqual(both)
      expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(both)
      await store.changeSession('s', append('c'))
      reference('append', document(), 'theirs too')
      expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['first', 'theirs', 'theirs too', 'a', 'b', 'c'])
      expect((await store.changeSession('s', append('a'))).deduplicated).toEqual(['a'])
      await store.close()
      expect(readdirSync(folder.base).toSorted()).toEqual(['.turnstore', 's.json'])
      expect(list(parseFile(document()).turns).map(turn => turn.turn_id)).toEqual([
        'first',
        'theirs',
        'theirs too',
        'a',
        'b',
        'c',
      ])
      reference('append', document(), 'last')
      expect(turnIdsOf(await folder.open().loadSession('s'))?.at(-1)).toBe('last')
    },
  )

  it.skipIf(!hasPython)(
    'tool calls, metadata, the agent and agent transitions of the journal are kept too',
    async () => {
      const store = folder.open()
      await store.saveSession({
        sessionId: 's',
        createdAt: at,
        parentSessionId: 'parent',
        turns: [{ turnId: 'first' }],
        metadata: { old: 1 },
      })
      await store.changeSession('s', {
        appendTurns: [{ turnId: 'running', status: 'running' }],
        setMetadata: { new: 2 },
        unsetMetadata: ['old'],
        agentId: 'b',
        appendAgentTransitions: [
          { toAgent: 'b', transitionId: 'x' },
          { toAgent: 'b', transitionId: null },
        ],
        updatedAt: at,
      })
      for (const turnId of ['running', 'first']) {
        const change = { turnId, set: { responseContent: 'done' }, putToolCalls: [{ callId: 'c', toolName: 'f' }] }
        await store.changeSession('s', { updateTurns: [change], updatedAt: at })
      }
      const before = await store.loadSession('s')
      reference('append', document(), 'theirs')
      for (const reader of [store, folder.open()]) {
        const after = await reader.loadSession('s')
        expect(turnIdsOf(after)).toEqual(['first', 'theirs', 'running'])
        for (const id of ['first', 'running']) {
          const isIt = ({ turnId }: { turnId: string }): boolean => turnId === id
          expect(after?.turns.find(isIt)).toEqual(before?.turns.find(isIt))
        }
        expect(after?.metadata).toEqual({ new: 2 })
        expect(after?.agentId).toBe('b')
        expect(after?.agentTransitions).toEqual(before?.agentTransitions)
        expect(after?.parentSessionId).toBe('parent')
      }
      const loaded = await store.loadSession('s')
      await store.close()
      expect(await folder.open().loadSession('s')).toEqual(loaded)
      expect(readByReference()).toEqual([asReferenceHasIt(loaded)])
    },
  )

  it.skipIf(!hasPython)('a turn that both added under one id is there twice, with the content of each', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    await store.changeSession('s', append('both', 'ours'))
    reference('append', document(), 'both')
    const prompts = ['by the reference', 'prompt of both', 'prompt of ours']
    for (const reader of [store, folder.open()]) {
      expect((await reader.loadSession('s'))?.turns.map(turn => turn.prompt)).toEqual(prompts)
    }
    await store.close()
    expect((await folder.open().loadSession('s'))?.turns.map(turn => turn.prompt)).toEqual(prompts)
  })

  it.skipIf(!hasPython)('items and what is remembered by key survive too, and nobody else sees where', async () => {
    const items = [
      { itemId: 'i1', format: 'chat', value: { role: 'user', text: 'ü\t"' } },
      { itemId: 'i2', format: 'own', value: null },
    ]
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'first', items, metadata: { a: 1 } }] })
    const keyed = (key: string, change: SessionChange): Promise<ChangeResult> =>
      store.changeSession('s', change, { idempotencyKey: key })
    const added = await keyed('append', { appendTurns: [{ turnId: 'second', items }], updatedAt: at })
    const step = {
      updateTurns: [{ turnId: 'first', putItems: [{ itemId: 'i3', format: 'own', value: 3 }] }],
      updatedAt: at,
    }
    const stepped = await keyed('step', step)
    reference('append', document(), 'theirs')
    await keyed('nothing', { updatedAt: at })
    reference('append', document(), 'theirs too')
    const before = await store.loadSession('s')
    expect(turnIdsOf(before)).toEqual(['first', 'theirs', 'theirs too', 'second'])
    expect(before?.turns[0]?.items.map(({ itemId }) => itemId)).toEqual(['i1', 'i2', 'i3'])
    expect(before?.turns.map(({ metadata }) => metadata)).toEqual([{ a: 1 }, {}, {}, {}])
    expect(before?.metadata).toEqual({})
    await store.close()
    const [theirs] = readByReference().filter(isJsonObject)
    expect(theirs?.metadata).toHaveProperty(['turnstore.keys', 'count'], 3)
    expect(list(theirs?.turns).map(turn => Object.keys(isJsonObject(turn.metadata) ? turn.metadata : {}))).toEqual([
      ['a', 'turnstore.items'],
      [],
      [],
      ['turnstore.items'],
    ])
    reference('append', document(), 'last')
    const fresh = folder.open()
    const after = await fresh.loadSession('s')
    expect(after?.turns.slice(0, -1)).toEqual(before?.turns)
    expect((await fresh.querySessions()).sessions[0]?.metadata).toEqual({})
    for (const [key, change, result] of [
      ['append', { appendTurns: [{ turnId: 'second', items }], updatedAt: at }, added],
      ['step', step, stepped],
    ] as const) {
      expect(await fresh.changeSession('s', change, { idempotencyKey: key })).toEqual({ ...result, replayed: true })
    }
    expect(await fresh.loadSession('s')).toEqual(after)
  })

  it.skipIf(!hasPython)('loses and doubles nothing in random histories', async () => {
    const moments = momentsOf(11)
    const below = (most: number): number => Math.floor(moments.next().value * most)
    for (let round = 0; round < 2 * thoroughness; round++) {
      const base = folder.path(`round ${round}`)
      const path = join(base, 's.json')
      let store = folder.open({}, base)
      await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 't' }] })
      const turns = new Set(['t'])
      const parts = new Map<string, string>()
      for (let step = 0; step < 40; step++) {
        const turnId = [...turns][below(turns.size)] ?? ''
        const id = `p${below(6)}`
        const text = `${step} `.repeat(below(3) === 0 ? 2000 : 5)
        const kind = below(8)
        if (kind === 0) {
          reference('append', path, `theirs ${step}`)
          turns.add(`theirs ${step}`)
        } else if (kind === 1) {
          await store.close()
          store = folder.open({}, base)
        } else if (kind === 2) {
          const toolCalls = [{ callId: id, toolName: 'f', result: text }]
          await store.changeSession('s', { appendTurns: [{ turnId: `ours ${step}`, status: 'running', toolCalls }] })
          turns.add(`ours ${step}`)
          parts.set(`ours ${step}/toolCalls/${id}`, text)
        } else {
          const putToolCalls = [{ callId: id, toolName: 'f', result: text, replace: true }]
          const putItems = [{ itemId: id, format: 'f', value: text }]
          await store.changeSession('s', { updateTurns: [{ turnId, putToolCalls, putItems }] })
          for (const name of ['toolCalls', 'items']) parts.set(`${turnId}/${name}/${id}`, text)
        }
      }
      for (const reader of [store, folder.open({}, base)]) {
        const loaded = await reader.loadSession('s')
        expect(turnIdsOf(loaded)?.toSorted()).toEqual([...turns].toSorted())
        const found = (loaded?.turns ?? []).flatMap(({ turnId, toolCalls, items }) => [
          ...toolCalls.map(({ callId, result }) => [`${turnId}/toolCalls/${callId}`, result]),
          ...items.map(({ itemId, value }) => [`${turnId}/items/${itemId}`, value]),
        ])
        expect(found.length).toBe(parts.size)
        expect(Object.fromEntries(found)).toEqual(Object.fromEntries(parts))
      }
    }
  })

  it.skipIf(!hasPython)('an update of a turn that the reference removed is dropped', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'first' }, { turnId: 'gone' }] })
    await store.changeSession('s', { updateTurns: [{ turnId: 'gone', set: { prompt: 'new' } }], updatedAt: at })
    const raw = parseFile(document())
    writeFileSync(
      document(),
      JSON.stringify({ ...raw, revision: undefined, turns: list(raw.turns).slice(0, 1) }, null, 2),
    )
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['first'])
    await store.changeSession('s', append('next'))
    await store.close()
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['first', 'next'])
  })

  it.skipIf(!hasPython)(
    'a session that the reference creates again does not get the journal of the old one',
    async () => {
      const store = folder.open()
      await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 'old' }] })
      await store.changeSession('s', append('older'))
      rmSync(document())
      reference('create', document())
      for (const reader of [store, folder.open()]) expect(turnIdsOf(await reader.loadSession('s'))).toEqual([])
      await store.changeSession('s', append('new'))
      for (const reader of [store, folder.open()]) expect(turnIdsOf(await reader.loadSession('s'))).toEqual(['new'])
      await store.close()
      expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['new'])
    },
  )

  it.skipIf(!hasPython)(
    'a session that the store creates again after the reference deleted it does not get the old journal',
    async () => {
      const store = folder.open()
      await store.saveSession({ sessionId: 's', createdAt: at })
      await store.changeSession('s', append('old'))
      rmSync(document())
      expect(await store.loadSession('s')).toBeNull()
      await store.saveSession({ sessionId: 's', createdAt: at })
      for (const reader of [store, folder.open()]) expect(turnIdsOf(await reader.loadSession('s'))).toEqual([])
    },
  )
})
