import type { SessionStore, TurnUpdate } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { holds, present, same } from '../../checks/expect.js'
import { gather } from '../../samples/methods.js'
import {
  appendOf,
  changeOf,
  indexes,
  itemOf,
  sessionOf,
  toolCallOf,
  transitionOf,
  turnOf,
} from '../../samples/samples.js'

/** Long sessions, large turns, many sessions, and appends and steps of constant cost if declared. */
export const sizeGroup: Group = { title: 'Size', define }

const MiB = 1024 * 1024

/** More than any list is cut at: 100, 1,000, 1,024, 10,000. */
const MANY = 10_050

function define({ it, thorough, capabilities }: Cases): void {
  const turnCount = thorough ? 10_000 : 2_000
  const sessionCount = thorough ? MANY : 1_030

  it('stored', `keeps a session of ${turnCount} turns`, async ({ store }) => {
    const turns = indexes(turnCount).map(index =>
      turnOf(`t${index}`, { prompt: `prompt ${index}`, metadata: { index } }),
    )
    await store.saveSession(sessionOf('s', { turns }))
    same((await store.loadSession('s'))?.turns, turns, 'the turns')
    same((await store.changeSession('s', appendOf('new'))).turnCount, turnCount + 1, 'the turnCount after an append')
    same(
      (await store.changeSession('s', changeOf({ appendTurns: turns.slice(5, 7) }))).deduplicated,
      ['t5', 't6'],
      'repeated old turns',
    )
    await store.saveSession(sessionOf('grown'))
    await store.changeSession('grown', changeOf({ appendTurns: turns }))
    same((await store.readTurns('grown', {}))?.turns, turns, 'the turns, when they came in one change')
    same((await store.readTurns('grown', { last: turnCount - 1 }))?.turns, turns.slice(1), 'all turns but the first')
    const page = present(await store.readTurns('s', { from: turnCount - 1, limit: 2 }), 'a page')
    same(page.turns, [...turns.slice(-1), turnOf('new')], 'the end')
    same((await store.readTurns('s', { turnId: 't7' }))?.firstIndex, 7, 'the position of a turn')
    await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't3', set: { status: 'x' } }] }))
    await store.changeSession('s', changeOf({ keepTurns: 10 }))
    same(
      (await store.loadSession('s'))?.turns.map(({ turnId, status }) => [turnId, status]),
      indexes(10).map(index => [`t${index}`, index === 3 ? 'x' : 'success']),
      'after a rewind',
    )
  })

  it('stored', `keeps ${MANY} turns and agent transitions of a session`, async ({ store }) => {
    const turns = indexes(MANY).map(index => turnOf(`t${index}`))
    const session = sessionOf('s', { turns, agentTransitions: indexes(MANY).map(index => transitionOf(`h${index}`)) })
    await store.saveSession(session)
    same(await store.loadSession('s'), session, 'the session')
    const { turnCount } = await store.changeSession('s', appendOf('new'))
    same(turnCount, MANY + 1, 'the turnCount after an append')
    same((await store.readTurns('s', { from: MANY - 1 }))?.turns, [...turns.slice(-1), turnOf('new')], 'the end')
  })

  it('stored', `keeps ${MANY} tool calls and items of a turn`, async ({ store }) => {
    const toolCalls = indexes(MANY).map(index => toolCallOf(`c${index}`))
    const items = indexes(MANY).map(index => itemOf(`i${index}`, { value: index }))
    // Some of them in one change.
    const saved = MANY - 300
    const turn = turnOf('t', { toolCalls: toolCalls.slice(0, saved), items: items.slice(0, saved) })
    await store.saveSession(sessionOf('s', { turns: [turn] }))
    const puts = { turnId: 't', putToolCalls: toolCalls.slice(saved), putItems: items.slice(saved) }
    const step = { turnId: 't', putToolCalls: [toolCallOf('c7', { result: 1 })], removeItems: ['i7'] }
    await store.changeSession('s', changeOf({ updateTurns: [puts, step] }))
    const lists = {
      toolCalls: toolCalls.map(call => (call.callId === 'c7' ? toolCallOf('c7', { result: 1 }) : call)),
      items: items.filter(({ itemId }) => itemId !== 'i7'),
    }
    same((await store.loadSession('s'))?.turns, [{ ...turn, ...lists }], 'the turn')
    same((await store.readParts('s', 't', { list: 'items' }))?.parts, lists.items, 'the items, read by themselves')
  })

  it('stored', 'keeps a turn of 5 MB, and 5 MB of turns in one change', async ({ store }) => {
    const text = 'é\u2028"\\x'.repeat(MiB / 2)
    await store.saveSession(sessionOf('s'))
    const large = turnOf('large', { prompt: text, toolCalls: [toolCallOf('c', { result: { text } })] })
    await store.changeSession('s', changeOf({ appendTurns: [large] }))
    const batch = indexes(5).map(index => turnOf(`t${index}`, { responseContent: `${index}${'x'.repeat(MiB)}` }))
    await store.changeSession('s', changeOf({ appendTurns: batch }))
    holds((await store.readTurns('s', { turnId: 'large' }))?.turns[0]?.prompt === text, 'the large prompt has changed')
    const session = present(await store.loadSession('s'), 'the session')
    same(
      session.turns.map(({ turnId }) => turnId),
      ['large', ...batch.map(({ turnId }) => turnId)],
      'the turns',
    )
    holds(
      session.turns.slice(1).every((turn, index) => turn.responseContent === batch[index]?.responseContent),
      'a large response has changed',
    )
    same(
      (await store.changeSession('s', changeOf({ appendTurns: [large] }))).deduplicated,
      ['large'],
      'the large turn, repeated',
    )
  })

  it('queries', `lists ${sessionCount} sessions, at once and by page`, async ({ store }) => {
    const ids = indexes(sessionCount).map(index => `s${String(index).padStart(5, '0')}`)
    for (let from = 0; from < sessionCount; from += 50) {
      await Promise.all(
        ids
          .slice(from, from + 50)
          .map((id, index) => store.saveSession(sessionOf(id, { workspaceId: index % 2 === 0 ? 'w' : null }))),
      )
    }
    same((await store.listSessions()).toSorted(), ids, 'listSessions')
    same(
      (await gather(store.sessions({ order: 'asc', limit: 500 }))).map(({ sessionId }) => sessionId),
      ids,
      'sessions()',
    )
    same((await gather(store.sessions({ workspaceId: 'w' }))).length, sessionCount / 2, 'sessions of a workspace')
  })

  it(
    'capabilities',
    'appends to a long session as fast as to a short one',
    async ({ store }) => {
      const filler = 'x'.repeat(1000)
      const turns = indexes(4000).map(index => turnOf(`t${index}`, { prompt: filler }))
      await store.saveSession(sessionOf('short'))
      await store.saveSession(sessionOf('long', { turns }))
      // The first append after a save may have to prepare something.
      await timeOf(store, 'short', 'first')
      await timeOf(store, 'long', 'first')
      const slow = await slowest(async attempt => {
        const times: Record<'short' | 'long', number[]> = { short: [], long: [] }
        for (const round of indexes(31)) {
          for (const id of ['short', 'long'] as const) times[id].push(await timeOf(store, id, `${attempt}-${round}`))
        }
        return { appending: median(times.long) / median(times.short) }
      })
      holds(slow === null, `${slow} to a session of 4,000 turns as to one of a few`)
    },
    { skip: !capabilities.constantAppend && 'the store does not declare constantAppend' },
  )

  it(
    'capabilities',
    'takes steps in a long turn, and reads its head and its last parts, as fast as in a short one',
    async ({ store }) => {
      const filler = 'x'.repeat(500)
      const toolCalls = indexes(PARTS).map(index => toolCallOf(`c${index}`, { result: filler }))
      const items = indexes(PARTS).map(index => itemOf(`i${index}`, { value: filler }))
      const few = { toolCalls: toolCalls.slice(0, 2), items: items.slice(0, 2) }
      await store.saveSession(sessionOf('short', { turns: [turnOf('t', few)] }))
      await store.saveSession(sessionOf('long', { turns: [turnOf('t', { toolCalls, items })] }))
      const slow = await slowest(async attempt => {
        const ratios: Record<string, number> = {}
        for (const [what, take] of Object.entries(stepsOf(store, filler))) {
          // The first after a save may have to prepare something.
          for (const id of ['short', 'long'] as const) await take(id, `${attempt}-first`)
          const times: Record<'short' | 'long', number[]> = { short: [], long: [] }
          for (const round of indexes(15)) {
            for (const id of ['short', 'long'] as const) {
              const started = performance.now()
              await take(id, `${attempt}-${round}`)
              times[id].push(performance.now() - started)
            }
          }
          ratios[what] = median(times.long) / median(times.short)
        }
        return ratios
      })
      holds(slow === null, `${slow} in a turn of ${PARTS} tool calls and items as in a turn of a few`)
    },
    { skip: !capabilities.constantStep && 'the store does not declare constantStep' },
  )
}

/** How much longer something may take where there is much. */
const MOST_TIMES = 6

/**
 * What takes too long in each of three measurements, in words; null if nothing does. A busy machine slows one of two
 * down by chance, a store always the same one.
 */
async function slowest(measure: (attempt: number) => Promise<Record<string, number>>): Promise<string | null> {
  const least = new Map<string, number>()
  for (const attempt of indexes(3)) {
    for (const [what, ratio] of Object.entries(await measure(attempt))) {
      least.set(what, Math.min(ratio, least.get(what) ?? Infinity))
    }
    if ([...least.values()].every(ratio => ratio < MOST_TIMES)) return null
  }
  const [what = '', ratio = 0] = [...least].find(([, times]) => times >= MOST_TIMES) ?? []
  return `${what} takes ${ratio.toFixed(1)} times as long`
}

/** In each list of a long turn. */
const PARTS = 2000

/** What costs the same in a short turn and in a long one. */
function stepsOf(store: SessionStore, text: string): Record<string, (id: string, round: string) => Promise<unknown>> {
  const step =
    (members: (round: string) => Omit<TurnUpdate, 'turnId'>) =>
    (id: string, round: string): Promise<unknown> =>
      store.changeSession(id, changeOf({ updateTurns: [{ turnId: 't', ...members(round) }] }))
  return {
    'adding a tool call': step(round => ({ putToolCalls: [toolCallOf(`new ${round}`, { result: text })] })),
    'replacing a tool call': step(round => ({ putToolCalls: [toolCallOf('c1', { result: round + text })] })),
    'adding an item': step(round => ({ putItems: [itemOf(`new ${round}`, { value: text })] })),
    'removing an item': step(round => ({ removeItems: [`new ${round}`] })),
    'setting the head of a turn': step(round => ({ set: { responseContent: round }, setMetadata: { round } })),
    'reading the last two parts': id => store.readParts(id, 't', { list: 'toolCalls', last: 2 }),
    'reading the head of a turn': id => store.readTurns(id, { last: 1 }, { parts: 'none' }),
  }
}

async function timeOf(store: SessionStore, id: string, turnId: string): Promise<number> {
  const change = appendOf(turnId, { prompt: 'x'.repeat(1000) })
  const started = performance.now()
  await store.changeSession(id, change)
  return performance.now() - started
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
