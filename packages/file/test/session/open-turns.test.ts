import { readFileSync, statSync } from 'node:fs'
import { applyChange, createSession, type SessionRecord, type TimedChange, type TurnUpdate } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import { thoroughness } from '../../../../scripts/testing/machine.ts'
import { at } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const journal = (): string => folder.path('s.journal')

/** The same numbers for the same seed. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('a turn in pieces', () => {
  it('is what the model says after random steps, compactions, rewinds and new handles', async () => {
    for (let round = 0; round < 3 * thoroughness; round++) await expectModel(round)
  })

  it('takes a step that writes the part and nothing else, whatever the turn holds', async () => {
    const store = folder.open()
    const grownBy: number[] = []
    for (const count of [0, 2000]) {
      const toolCalls = Array.from({ length: count }, (_, index) => ({
        callId: `c${index}`,
        toolName: 'f',
        result: 'x'.repeat(500),
      }))
      await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 't', toolCalls }] })
      const step = (callId: string): Promise<unknown> =>
        store.changeSession('s', {
          updateTurns: [{ turnId: 't', putToolCalls: [{ callId, toolName: 'f', result: 'y' }] }],
          updatedAt: at,
        })
      await step('new 1')
      const { size } = statSync(journal())
      await step('new 2')
      grownBy.push(statSync(journal()).size - size)
    }
    expect(grownBy[1]).toBe(grownBy[0])
    expect(grownBy[0]).toBeLessThan(400)
  })

  it.skipIf(process.platform !== 'linux')(
    'gives some of its parts, and its head, without reading the others',
    async () => {
      const store = folder.open()
      await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 't' }] })
      const value = 'x'.repeat(4000)
      for (let done = 0; done < 2000; done += 200) {
        const items = Array.from({ length: 200 }, (_, index) => ({ itemId: `i${done + index}`, format: 'f', value }))
        await store.changeSession('s', { updateTurns: [{ turnId: 't', putItems: items }], updatedAt: at })
      }
      for (const reader of [store, folder.open()]) {
        if (reader !== store) await store.close()
        await reader.loadSummary('s')
        const before = bytesRead()
        const page = await reader.readParts('s', 't', { list: 'items', from: 1000, limit: 2 })
        expect(page?.parts.map(({ itemId }) => itemId)).toEqual(['i1000', 'i1001'])
        const heads = await reader.readTurns('s', {}, { parts: 'none' })
        expect(heads?.turns[0]?.partCounts).toEqual({ toolCalls: 0, items: 2000 })
        expect(bytesRead() - before).toBeLessThan(200_000)
      }
    },
  )
})

function bytesRead(): number {
  return Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

async function expectModel(seed: number): Promise<void> {
  const below = numbersFrom(seed + 1)
  const id = `s${seed}`
  let store = folder.open()
  let model: SessionRecord = { ...createSession({ sessionId: id }), createdAt: at, updatedAt: at, revision: 1 }
  await store.saveSession(model)
  const pending: Promise<unknown>[] = []
  for (let step = 0; step < 150; step++) {
    const change = randomChange(below, model, step)
    const expected = applyChange(model, change).session
    pending.push(store.changeSession(id, change))
    model = expected
    if (below(4) > 0) await Promise.all(pending.splice(0))
    if (below(12) === 0) {
      await Promise.all(pending.splice(0))
      if (below(2) === 0) await store.close()
      store = folder.open()
      // So that it has found the session, and keeps the order of changes.
      await store.loadSummary(id)
      await store.changeSession(id, { updatedAt: at })
    }
    if (below(5) > 0) continue
    await Promise.all(pending.splice(0))
    const turnId = model.turns[below(model.turns.length)]?.turnId ?? ''
    const page = await store.readParts(id, turnId, { list: 'toolCalls', from: 1, limit: 3 })
    const heads = await store.readTurns(id, {}, { parts: 'none' })
    const seen = { session: await store.loadSession(id), parts: page?.parts, heads: heads?.turns }
    expect({ seed, step, ...seen }).toEqual({
      seed,
      step,
      session: model,
      parts: model.turns.findLast(turn => turn.turnId === turnId)?.toolCalls.slice(1, 4),
      heads: model.turns.map(({ toolCalls, items, ...head }) => ({
        ...head,
        partCounts: { toolCalls: toolCalls.length, items: items.length },
      })),
    })
  }
  await Promise.all(pending)
  expect(await store.loadSession(id)).toEqual(model)
  await store.close()
  expect(await folder.open().loadSession(id)).toEqual(model)
}

function randomChange(below: (n: number) => number, { turns }: SessionRecord, step: number): TimedChange {
  const updatedAt = new Date(Date.parse(at) + step).toISOString()
  const text = (): string => 'ü\t"{}\\'.repeat(below(4) === 0 ? below(1500) : below(60))
  const call = () => ({
    callId: `c${below(12)}`,
    toolName: 'f',
    arguments: { n: below(3) },
    result: text(),
    replace: true,
  })
  const item = () => ({ itemId: `i${below(12)}`, format: 'f', value: { list: [text(), null, 1.5] } })
  const many = <T>(most: number, make: () => T): T[] => Array.from({ length: below(most + 1) }, make)
  const kind = below(20)
  if (turns.length === 0 || kind < 3) {
    const ended = kind === 0 && { setMetadata: { ended: below(2) === 0 } }
    const plainCall = () => ({ callId: `c${below(12)}`, toolName: 'f', result: text() })
    const turn = {
      turnId: `t${step}`,
      prompt: text(),
      status: 'running',
      toolCalls: many(4, plainCall),
      items: many(4, item),
    }
    return { appendTurns: [turn], ...ended, updatedAt }
  }
  if (kind === 3) return { keepTurns: below(turns.length + 1), updatedAt }
  if (kind < 6) return { setMetadata: { ended: kind === 4, step }, updatedAt }
  const updateTurns: TurnUpdate[] = Array.from({ length: 1 + below(2) }, () => ({
    turnId: turns[Math.max(0, turns.length - 1 - below(3))]?.turnId ?? '',
    ...(below(3) === 0 && { set: { responseContent: text() }, setMetadata: { [`m${below(3)}`]: text() } }),
    ...(below(4) === 0 && { removeToolCalls: [`c${below(12)}`], removeItems: [`i${below(12)}`] }),
    putToolCalls: many(3, call),
    putItems: many(3, item),
  }))
  return { updateTurns, updatedAt }
}
