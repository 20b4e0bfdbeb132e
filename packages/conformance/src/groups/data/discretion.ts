import { inspect } from 'node:util'
import { isTurnstoreError, type SessionStore } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { fail, holds, nameOf, present } from '../../checks/expect.js'
import { gather, untyped } from '../../samples/methods.js'
import { turnOfTheEventLoop } from '../../checks/races.js'
import { changeOf, indexes, sessionOf, T0, toolCallOf, transitionOf, turnOf } from '../../samples/samples.js'
import { shownBy } from '../../checks/error-texts.js'

/** No error contains content, in any place that a logger might print. */
export const discretionGroup: Group = { title: 'Discretion', define }

/** Placed wherever there is content. */
const CANARY = 'canary-7f3a'

function define({ it }: Cases): void {
  it(
    'discretion',
    'no error contains a prompt, a result or a metadata value, in its message, stack, cause or members',
    async ({ store }) => {
      const lines = await logged(async () => {
        await store.saveSession(secretSession('s', 'w'))
        await store.changeSession(
          's',
          changeOf({ appendTurns: [turnOf('t2', { prompt: CANARY })], setMetadata: { other: CANARY } }),
        )
        await Promise.all([store.loadSession('s'), store.readTurns('s', {}), store.querySessions()])
        // A retry, conflicting writes and a deletion. Nothing fails, so nothing is printed.
        await store.changeSession('s', changeOf({ appendTurns: [turnOf('t2', { prompt: CANARY })] }))
        // So many that a store which has to try again does.
        const several = indexes(12).map(key => changeOf({ setMetadata: { [key]: CANARY } }))
        await Promise.all(several.map(each => store.changeSession('s', each)))
        for (const id of ['other', 'gone']) await store.saveSession(secretSession(id, 'w'))
        await store.deleteSession('gone')
        for (const [name, call] of Object.entries(wrongCalls(store))) {
          let error: unknown
          try {
            await call()
          } catch (thrown) {
            error = thrown
          }
          if (error === undefined) fail(`${name} was to fail, and succeeded`)
          holds(isTurnstoreError(error), `${name} fails with ${nameOf(error)}`)
          expectDiscreet(error, name)
        }
      })
      holds(!lines.includes(CANARY), 'the content was written to the console, to an output or into a warning')
    },
  )

  it('discretion', 'no error of a closed store does either', async ({ store }) => {
    await store.saveSession(secretSession('s', null))
    const lines = await logged(() => store.close())
    holds(!lines.includes(CANARY), 'the content was written to the console, to an output or into a warning')
    for (const call of [
      () => store.saveSession(secretSession('s', null)),
      () => store.changeSession('s', changeOf({ setMetadata: { a: CANARY } })),
    ]) {
      const error = await call().then(
        () => fail('a closed store has taken a write'),
        (error: unknown) => error,
      )
      expectDiscreet(error, 'a write on a closed store')
    }
  })
}

/** Calls that fail in all ways that a caller can cause, each with the canary as content. */
function wrongCalls(store: SessionStore): Record<string, () => Promise<unknown>> {
  const turn = turnOf('t1', { prompt: CANARY })
  const save = (members: object) => () => store.saveSession(untyped({ ...secretSession('new', 'w'), ...members }))
  const change = (members: object) => () => store.changeSession('s', untyped({ updatedAt: T0, ...members }))
  const thrower = () => {
    throw new Error(CANARY)
  }
  const lossy = { a: CANARY, b: [CANARY, { c: 1n }] }
  return {
    'a conflict of turns': change({ appendTurns: [{ ...turn, responseContent: `${CANARY} other` }] }),
    'a conflict of two turns in a batch': change({
      appendTurns: [turnOf('x', { prompt: CANARY }), turnOf('x', { prompt: `${CANARY}2` })],
    }),
    'a conflict of transitions': change({ appendAgentTransitions: [transitionOf('h', { reason: `${CANARY} other` })] }),
    'a conflict of revisions': () =>
      store.changeSession('s', changeOf({ setMetadata: { a: CANARY } }), { ifRevision: 9 }),
    'a conflict of revisions in a save': () => store.saveSession(secretSession('s', 'w'), { ifRevision: 9 }),
    'an id of another workspace': () => store.saveSession(secretSession('s', 'other')),
    'a session that is not there': () =>
      store.changeSession('none', changeOf({ appendTurns: [turn], setMetadata: { a: CANARY } })),
    'a missing turn': change({ updateTurns: [{ turnId: 'none', set: { prompt: CANARY } }] }),
    'a lossy value in a record': save({ metadata: lossy }),
    'a lossy value in a turn': change({ appendTurns: [{ ...turn, metadata: lossy }] }),
    'a lossy value in metadata': change({ setMetadata: lossy }),
    'a lossy value in a result': change({
      updateTurns: [{ turnId: 't1', putToolCalls: [toolCallOf('c', { result: untyped(lossy) })] }],
    }),
    'a lossy value in an item': change({ updateTurns: [{ turnId: 't1', putItems: [{ format: 'f', value: untyped(lossy) }] }] }),
    'an item of a wrong type': change({ updateTurns: [{ turnId: 't1', putItems: [{ format: [CANARY], value: 1 }] }] }),
    'a string for an item': change({ appendTurns: [{ ...turn, items: [CANARY] }] }),
    'an item beside other content under `items`': change({
      appendTurns: [{ ...turn, items: [{ format: 'f', value: 1 }], extra: { items: CANARY } }],
    }),
    'too large an item': change({ updateTurns: [{ turnId: 't1', putItems: [{ format: 'f', value: CANARY.repeat(2_000_000) }] }] }),
    'a finished call with other arguments': change({
      updateTurns: [{ turnId: 't1', putToolCalls: [toolCallOf('c', { arguments: { b: CANARY } })] }],
    }),
    'another change with a known key': async () => {
      const options = { idempotencyKey: 'k', workspaceId: 'w' }
      await store.changeSession('s', changeOf({ setMetadata: { secret: CANARY } }), options)
      await store.changeSession('s', changeOf({ setMetadata: { secret: `${CANARY} 2` } }), options)
    },
    'an unruly key': () => store.changeSession('s', changeOf({}), { idempotencyKey: `${CANARY}\n` }),
    'a lossy value in a creation': () =>
      store.changeSession('new', changeOf({}), { createIfMissing: { metadata: untyped(lossy) } }),
    'a string for a creation': () => store.changeSession('new', changeOf({}), { createIfMissing: untyped(CANARY) }),
    'too much metadata of a creation': () =>
      store.changeSession('new', changeOf({ setMetadata: { a: CANARY.repeat(60_000) } }), {
        createIfMissing: { metadata: { b: CANARY.repeat(60_000) } },
      }),
    'a status that is asked for': change({ updateTurns: [{ turnId: CANARY, ifStatus: [CANARY] }] }),
    'a list of content': () => store.readParts('s', 't1', { list: untyped(CANARY) }),
    'a wrong type': change({ appendTurns: [{ ...turn, prompt: [CANARY] }] }),
    'a wrong type in a record': save({ createdAt: { time: CANARY } }),
    'a string for an object': change({ setMetadata: CANARY }),
    'a string for a list': change({ appendTurns: CANARY }),
    'a string for a turn': change({ appendTurns: [CANARY] }),
    'a string for a record': () => store.saveSession(untyped(CANARY)),
    'a string for options': () => store.saveSession(secretSession('new', 'w'), untyped(CANARY)),
    'a string for a query': () => store.querySessions(untyped(CANARY)),
    'too much metadata': change({ setMetadata: { a: CANARY.repeat(200_000) } }),
    'too large a turn': change({ appendTurns: [turnOf('x', { prompt: CANARY.repeat(2_000_000) })] }),
    'too deep a value': change({ setMetadata: { a: deep(200) } }),
    'a getter that throws': change({ setMetadata: Object.defineProperty({}, 'a', { enumerable: true, get: thrower }) }),
    'a getter of the change that throws': () =>
      store.changeSession('s', untyped(Object.defineProperty({}, 'updatedAt', { enumerable: true, get: thrower }))),
    'a getter of the record that throws': () =>
      store.saveSession(
        untyped(Object.defineProperty({ sessionId: 'x' }, 'turns', { enumerable: true, get: thrower })),
      ),
    'a Proxy that throws': change({ setMetadata: new Proxy({}, { ownKeys: thrower }) }),
    'an unruly id': () => store.saveSession(sessionOf(`${CANARY}\n`)),
    'an unruly id to load': () => store.loadSession(`${CANARY}\0`),
    'an unruly id of an agent': change({ agentId: `${CANARY}\u0085` }),
    'too long an id': () => store.loadSummary(CANARY.repeat(50)),
    'a cursor of content': () => store.querySessions({ cursor: CANARY }),
    'a cursor of another query': async () => {
      const { cursor } = await store.querySessions({ limit: 1 })
      await store.querySessions({ metadata: { secret: CANARY }, cursor: present(cursor, 'a cursor') })
    },
    'a time of content': () => store.querySessions({ updatedAfter: CANARY }),
    'a filter that is none': () => store.querySessions({ metadata: untyped({ a: [CANARY] }) }),
    'an order of content': () => gather(store.sessions({ orderBy: untyped(CANARY) })),
    'a revision of content': () => store.saveSession(secretSession('s', 'w'), { ifRevision: untyped(CANARY) }),
    'a range of content': () => store.readTurns('s', { last: untyped(CANARY) }),
    'a time of content in a change': () => store.changeSession('s', untyped({ updatedAt: [CANARY] })),
  }
}

function expectDiscreet(error: unknown, name: string): void {
  for (const [where, text] of shownBy(error)) {
    if (text.includes(CANARY)) fail(`${name}: the ${where} of the error contains content: ${text.slice(0, 300)}`)
  }
}

function secretSession(sessionId: string, workspaceId: string | null) {
  return sessionOf(sessionId, {
    workspaceId,
    turns: [
      turnOf('t1', {
        prompt: CANARY,
        responseContent: CANARY,
        error: CANARY,
        toolCalls: [toolCallOf('c', { arguments: { a: CANARY }, result: CANARY, error: CANARY })],
      }),
    ],
    agentTransitions: [transitionOf('h', { reason: CANARY })],
    metadata: { secret: CANARY, list: [CANARY] },
    extra: { newer: CANARY },
  })
}

function deep(levels: number): unknown {
  let value: unknown = CANARY
  for (let level = 0; level < levels; level++) value = [value]
  return value
}

/** Everything written to the console and the output streams during a run. */
async function logged(run: () => Promise<void>): Promise<string> {
  const names = ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const
  const originals = names.map(name => console[name])
  const lines: string[] = []
  for (const name of names) console[name] = (...args: unknown[]) => void lines.push(inspect(args, { depth: Infinity }))
  const outputs = [process.stdout, process.stderr].map(output => {
    const write: unknown = Reflect.get(output, 'write')
    // Passed through, since other code may write too.
    const recording = (...args: unknown[]): unknown => {
      lines.push(String(args[0]))
      return typeof write === 'function' ? Reflect.apply(write, output, args) : true
    }
    const own = Object.getOwnPropertyDescriptor(output, 'write')
    Object.defineProperty(output, 'write', { value: recording, configurable: true, writable: true })
    return { output, own }
  })
  const warn = (warning: Error): void => void lines.push(warning.message)
  process.on('warning', warn)
  try {
    await run()
    // Warnings are emitted asynchronously.
    await turnOfTheEventLoop()
  } finally {
    process.off('warning', warn)
    for (const { output, own } of outputs) {
      Reflect.deleteProperty(output, 'write')
      if (own) Object.defineProperty(output, 'write', own)
    }
    for (const [index, name] of names.entries()) console[name] = originals[index] ?? console[name]
  }
  return lines.join('\n')
}
