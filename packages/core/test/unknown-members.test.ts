import { describe, expect, it } from 'vitest'
import * as core from '../src/index.ts'
import { MapStore } from './map-store.ts'

/*
 * A misspelt member would lose a tenant, a condition or data without a word. So each method and function that takes
 * objects is handed each of them with a member more, and the compiler's word is not enough: callers may have no types.
 */

/** Arguments with which a call succeeds; the objects among them are those that are tried. */
const managerCalls: Record<string, unknown[] | 'takes no object'> = {
  startSession: [{ sessionId: 'new' }],
  recordTurn: ['s', { turnId: 'new', toolCalls: [{ toolName: 'f' }] }],
  updateTurn: ['s', 't', { status: 'success' }],
  recordToolCall: ['s', 't', { toolName: 'f' }],
  recordAgentTransition: ['s', { toAgent: 'b' }],
  endSession: 'takes no object',
  getSession: 'takes no object',
  getTurns: ['s', { last: 1 }],
  getMessages: ['s', { last: 1 }],
  listSessions: [{ workspaceId: 'w' }],
  querySessions: [{ limit: 1 }],
  sessions: [{ limit: 1 }],
  forkSession: ['s', { turns: 1 }],
  rewindSession: ['s', 0, { ifRevision: 2 }],
  deleteSession: ['s', { evenIfDamaged: true }],
  pruneSessions: [{ ended: true }],
}

const storeCalls: Record<string, unknown[] | 'takes no object'> = {
  saveSession: [{ sessionId: 'new', turns: [{ turnId: 't', toolCalls: [{ toolName: 'f' }] }], agentTransitions: [{ toAgent: 'b' }] }, { ifRevision: 0 }],
  loadSession: ['s', { workspaceId: 'w' }],
  listSessions: [{ workspaceId: 'w' }],
  deleteSession: ['s', { workspaceId: 'w' }],
  changeSession: [
    's',
    {
      updateTurns: [{ turnId: 't', set: { status: 'success' }, putToolCalls: [{ toolName: 'f' }] }],
      appendTurns: [{ turnId: 'new' }],
      appendAgentTransitions: [{ toAgent: 'b' }],
      updatedAt: '2026-01-01T00:00:00Z',
    },
    { ifRevision: 2 },
  ],
  readTurns: ['s', { last: 1 }, { workspaceId: 'w' }],
  loadSummary: ['s', { workspaceId: 'w' }],
  querySessions: [{ limit: 1 }],
  sessions: [{ limit: 1 }],
  ready: 'takes no object',
  close: 'takes no object',
}

/** Those that read what others wrote keep unknown members in `extra`. */
const session = core.createSession({ sessionId: 's' })
const change = { appendTurns: [{ turnId: 'new' }], updatedAt: '2026-01-01T00:00:00Z' }
const functions: Record<string, unknown[] | 'takes no object' | 'takes what others wrote'> = {
  applyChange: [session, change, { ifRevision: 1 }],
  createAgentTransition: [{ toAgent: 'b' }, { newId: () => 'x' }],
  createSession: [{ sessionId: 's' }, { newId: () => 'x' }],
  createToolCall: [{ toolName: 'f' }, { newId: () => 'x' }],
  createTurn: [{ prompt: 'p' }, { newId: () => 'x' }],
  decodeSession: 'takes what others wrote',
  encodeSession: 'takes what others wrote',
  isEnded: 'takes what others wrote',
  isTurnstoreError: 'takes no object',
  messagesFromTurns: 'takes what others wrote',
  printable: 'takes no object',
  printableLine: 'takes no object',
  replaySession: 'takes what others wrote',
  turnsFromMessages: [[], { agentId: 'a' }],
}

async function prepared(): Promise<{ manager: object; store: object }> {
  const map = new MapStore()
  await map.saveSession({ sessionId: 's', workspaceId: 'w', turns: [{ turnId: 't' }] })
  await map.changeSession('s', { setMetadata: { ended: true }, updatedAt: '2026-01-01T00:00:00Z' })
  return { manager: new core.SessionManager(map), store: map }
}

function call(target: object, name: string, args: unknown[]): unknown {
  const method: unknown = Reflect.get(target, name)
  if (typeof method !== 'function') throw new Error(`there is no ${name}`)
  return Reflect.apply(method, target, args)
}

/** The arguments again and again, each time with a member more in one object of them, however deep. */
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
      if (name === 'metadata') continue // which is the caller's own
      for (const [where, inner] of spoiltValues(member, `${at}.${name}`)) yield [where, { ...value, [name]: inner }]
    }
  }
}

/** What a call comes to, whether it throws, rejects or fails when it is iterated. */
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

/** The public methods of a class and of those that it extends; those whose names begin with `_` are hooks. */
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
] as const)('%s', (_what, which, calls) => {
  it('has no method that is not tried here', async () => {
    expect(methodsOf((await prepared())[which])).toEqual(Object.keys(calls).toSorted())
  })

  it.each(Object.entries(calls).filter(([, args]) => Array.isArray(args)))('%s refuses a member that it does not know', async (name, args) => {
    if (!Array.isArray(args)) return
    expect(await outcomeOf(async () => call((await prepared())[which], name, args))).toBe('it succeeds')
    for (const [at, wrong] of spoilt(args)) {
      const outcome = await outcomeOf(async () => call((await prepared())[which], name, wrong))
      expect(`${at} ${outcome}`).toMatch(/ INVALID_(ARGUMENT|RECORD)$/)
    }
  })
})

describe('the functions of core', () => {
  it('are all tried here, but for classes and tables', () => {
    const names = Object.entries(core).flatMap(([name, value]) => (typeof value === 'function' && !/^[A-Z]/.test(name) ? [name] : []))
    expect(names.toSorted()).toEqual(Object.keys(functions).toSorted())
  })

  it.each(Object.entries(functions).filter(([, args]) => Array.isArray(args)))('%s refuses a member that it does not know', async (name, args) => {
    if (!Array.isArray(args)) return
    expect(await outcomeOf(() => call(core, name, args))).toBe('it succeeds')
    for (const [at, wrong] of spoilt(args)) {
      expect(`${at} ${await outcomeOf(() => call(core, name, wrong))}`).toMatch(/ INVALID_(ARGUMENT|RECORD)$/)
    }
  })
})

it('the constructor of the manager refuses a member that it does not know', () => {
  for (const options of [{ workspaceID: 'w' }, { workspace_id: 'w' }, { workspaceId: 'w', misspelt: 1 }]) {
    expect(() => void Reflect.construct(core.SessionManager, [new MapStore(), options])).toThrow('has no member')
  }
})

it('a manager lists no tenant for whom a member is misspelt', async () => {
  const store = new MapStore()
  await store.saveSession({ sessionId: 'of another', workspaceId: 'other' })
  const listed = call(new core.SessionManager(store), 'listSessions', [{ workspaceID: 'acme' }])
  await expect(listed).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
