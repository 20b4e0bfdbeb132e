import { describe, expect, it } from 'vitest'
import * as core from '../src/index.ts'
import { MapStore } from './map-store.ts'

/*
 * Ignoring a misspelt member could silently drop a tenant, a condition or data. So every method and function that takes
 * objects is called with an extra member in each of them. Types are not enough, because JavaScript callers have none.
 */

/** Arguments of a successful call. The test adds an unknown member to each object in them. */
const key = { idempotencyKey: 'k' }
const item = { format: 'f', value: 1 }
const managerCalls: Record<string, unknown[] | 'takes no object'> = {
  startSession: [{ sessionId: 'new' }],
  recordTurn: ['s', { turnId: 'new', toolCalls: [{ toolName: 'f' }], items: [item] }, key],
  updateTurn: ['s', 't', { status: 'success' }, key],
  recordMessages: ['s', [], { at: 0 }],
  recordToolCall: ['s', 't', { toolName: 'f' }, { ...key, replace: true }],
  recordAgentTransition: ['s', { toAgent: 'b' }, key],
  endSession: ['s', key],
  updateSession: ['s', { agentId: 'a' }, { ...key, ifRevision: 2 }],
  interruptTurn: ['s', 't', { ...key, ifRevision: 2 }],
  getSession: ['s', {}],
  getSummary: ['s', {}],
  getTurns: ['s', { last: 1 }, {}],
  getMessages: ['s', { last: 1, exact: true }],
  listSessions: [{ workspaceId: 'w' }],
  querySessions: [{ limit: 1 }],
  sessions: [{ limit: 1 }],
  searchSessions: [{ text: 'a', limit: 1 }],
  watchSession: ['none', { since: 'x' }],
  forkSession: ['s', { turns: 1 }],
  rewindSession: ['s', 0, { ...key, ifRevision: 2 }],
  deleteSession: ['s', { evenIfDamaged: true }],
  pruneSessions: [{ ended: true }],
  deleteSessions: [{ ended: true }, { onDeleted: () => {} }],
  close: 'takes no object',
}

const storeCalls: Record<string, unknown[] | 'takes no object'> = {
  saveSession: [
    {
      sessionId: 'new',
      turns: [{ turnId: 't', toolCalls: [{ toolName: 'f' }] }],
      agentTransitions: [{ toAgent: 'b' }],
    },
    { ifRevision: 0 },
  ],
  loadSession: ['s', { workspaceId: 'w' }],
  listSessions: [{ workspaceId: 'w' }],
  deleteSession: ['s', { workspaceId: 'w' }],
  changeSession: [
    's',
    {
      updateTurns: [
        {
          turnId: 't',
          ifStatus: 'success',
          set: { status: 'success' },
          putToolCalls: [{ toolName: 'f', replace: true }],
          putItems: [item],
        },
      ],
      appendTurns: [{ turnId: 'new' }],
      appendAgentTransitions: [{ toAgent: 'b' }],
      updatedAt: '2026-01-01T00:00:00Z',
    },
    { ...key, idempotencyDigest: 'd', createIfMissing: { workspaceId: 'w' } },
  ],
  readTurns: ['s', { last: 1 }, { workspaceId: 'w', parts: 'none' }],
  readParts: ['s', 't', { list: 'items', last: 1 }, { workspaceId: 'w' }],
  loadSummary: ['s', { workspaceId: 'w' }],
  querySessions: [{ limit: 1 }],
  sessions: [{ limit: 1 }],
  searchSessions: [{ text: 'a', limit: 1 }],
  watchSession: ['none', { since: 'x' }],
  ready: 'takes no object',
  close: 'takes no object',
}

/** Functions that read stored data keep unknown members in `extra`. */
const session = core.createSession({ sessionId: 's' })
const change = { appendTurns: [{ turnId: 'new' }], updatedAt: '2026-01-01T00:00:00Z' }
const functions: Record<string, unknown[] | 'takes no object' | 'reads stored data'> = {
  applyChange: [session, change, { ifRevision: 1 }],
  bindStore: 'takes no object',
  createAgentTransition: [{ toAgent: 'b' }, { newId: () => 'x' }],
  createSession: [{ sessionId: 's' }, { newId: () => 'x' }],
  createToolCall: [{ toolName: 'f' }, { newId: () => 'x' }],
  createTurn: [{ prompt: 'p' }, { newId: () => 'x' }],
  decodeSession: 'reads stored data',
  encodeSession: 'reads stored data',
  isEnded: 'reads stored data',
  isTurnstoreError: 'takes no object',
  mergeRecords: 'reads stored data',
  mergeSession: 'reads stored data',
  messagesFromTurns: [[], { exact: true }],
  printable: 'takes no object',
  printableLine: 'takes no object',
  replaySession: 'reads stored data',
  turnsFromMessages: [[], { agentId: 'a' }],
}

async function prepared(): Promise<{ manager: object; store: object; bound: object }> {
  const map = new MapStore()
  await map.saveSession({ sessionId: 's', workspaceId: 'w', turns: [{ turnId: 't' }] })
  await map.changeSession('s', { setMetadata: { ended: true }, updatedAt: '2026-01-01T00:00:00Z' })
  return { manager: new core.SessionManager(map), store: map, bound: core.bindStore(map, 'w') }
}

function call(target: object, name: string, args: unknown[]): unknown {
  const method: unknown = Reflect.get(target, name)
  if (typeof method !== 'function') throw new Error(`there is no ${name}`)
  return Reflect.apply(method, target, args)
}

/** Variants of the arguments, each with an unknown member in one object, at any depth. */
function* spoilt(args: readonly unknown[]): Generator<[at: string, args: unknown[]]> {
  for (const [at, value] of spoiltValues(args, '')) if (Array.isArray(value)) yield [at, value]
}

function* spoiltValues(value: unknown, at: string): Generator<[at: string, value: unknown]> {
  if (Array.isArray(value)) {
    const items: unknown[] = value
    for (const [index, item] of items.entries()) {
      for (const [where, inner] of spoiltValues(item, `${at}[${index}]`)) yield [where, items.with(index, inner)]
    }
  } else if (typeof value === 'object' && value !== null) {
    yield [at, { ...value, misspelt: 1 }]
    for (const [name, member] of Object.entries(value)) {
      if (name === 'metadata') continue // free-form
      for (const [where, inner] of spoiltValues(member, `${at}.${name}`)) yield [where, { ...value, [name]: inner }]
    }
  }
}

/** The outcome of a call, whether it throws, rejects or fails during iteration. */
async function outcomeOf(result: () => unknown): Promise<string> {
  try {
    const value = await result()
    if (isIterable(value)) for await (const _ of value) void _
    return 'it succeeds'
  } catch (error) {
    return core.isTurnstoreError(error) ? error.code : String(error)
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

function* prototypesOf(target: object): Generator<object> {
  const prototype: unknown = Object.getPrototypeOf(target)
  if (typeof prototype !== 'object' || prototype === null || prototype === Object.prototype) return
  yield prototype
  yield* prototypesOf(prototype)
}

/** The public methods of a class and its base classes. Names that start with `_` are hooks. */
function methodsOf(target: object): string[] {
  const names = new Set<string>()
  for (const each of prototypesOf(target)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(each))) {
      if (typeof value === 'function' && name !== 'constructor' && !name.startsWith('_')) names.add(name)
    }
  }
  return [...names].toSorted()
}

describe.each([
  ['the manager', 'manager', managerCalls],
  ['a store', 'store', storeCalls],
  ['a bound store', 'bound', storeCalls],
] as const)('%s', (_what, which, calls) => {
  it('every method is tested here', async () => {
    expect(methodsOf((await prepared())[which])).toEqual(Object.keys(calls).toSorted())
  })

  it.each(Object.entries(calls).filter(([, args]) => Array.isArray(args)))(
    '%s refuses an unknown member',
    async (name, args) => {
      if (!Array.isArray(args)) return
      expect(await outcomeOf(async () => call((await prepared())[which], name, args))).toBe('it succeeds')
      for (const [at, wrong] of spoilt(args)) {
        const outcome = await outcomeOf(async () => call((await prepared())[which], name, wrong))
        expect(`${at} ${outcome}`).toMatch(/ INVALID_(ARGUMENT|RECORD)$/)
      }
    },
  )
})

describe('the functions of core', () => {
  it('are all tested here, except classes and tables', () => {
    const names = Object.entries(core).flatMap(([name, value]) =>
      typeof value === 'function' && !/^[A-Z]/.test(name) ? [name] : [],
    )
    expect(names.toSorted()).toEqual(Object.keys(functions).toSorted())
  })

  it.each(Object.entries(functions).filter(([, args]) => Array.isArray(args)))(
    '%s refuses an unknown member',
    async (name, args) => {
      if (!Array.isArray(args)) return
      expect(await outcomeOf(() => call(core, name, args))).toBe('it succeeds')
      for (const [at, wrong] of spoilt(args)) {
        expect(`${at} ${await outcomeOf(() => call(core, name, wrong))}`).toMatch(/ INVALID_(ARGUMENT|RECORD)$/)
      }
    },
  )
})

it('the constructor of the manager refuses an unknown member', () => {
  for (const options of [{ workspaceID: 'w' }, { workspace_id: 'w' }, { workspaceId: 'w', misspelt: 1 }]) {
    expect(() => void Reflect.construct(core.SessionManager, [new MapStore(), options])).toThrow('has no member')
  }
})

it('a manager lists no sessions if workspaceId is misspelt', async () => {
  const store = new MapStore()
  await store.saveSession({ sessionId: 'of another', workspaceId: 'other' })
  const listed = call(new core.SessionManager(store), 'listSessions', [{ workspaceID: 'acme' }])
  await expect(listed).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
