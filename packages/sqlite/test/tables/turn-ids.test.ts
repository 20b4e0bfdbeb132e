import { isTurnstoreError, type SessionChange, type SessionStore } from '@turnstore/core'
import { InMemorySessionStore } from '@turnstore/memory'
import { describe, expect, it } from 'vitest'
import { momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { append, at } from '../../../../scripts/testing/sessions.ts'
import { BLOCK } from '../../src/tables/turn-ids.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

const idsFrom = (first: number, count: number): string[] => Array.from({ length: count }, (_, i) => `t${first + i}`)

const indexed = (): unknown[] =>
  folder.handle().prepare('SELECT seq FROM turnstore_turn_ids ORDER BY seq').pluck().all()

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** What a call returns, or the code of its error. */
const outcomeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: unknown) => {
    if (isTurnstoreError(error)) return error.code
    throw error
  })

describe('the ids of turns', () => {
  it('are indexed in blocks, and are found before that', async () => {
    const store = folder.open({ durability: 'process-crash' })
    await store.saveSession({ sessionId: 's', createdAt: at })
    for (const id of idsFrom(0, BLOCK - 1)) await store.changeSession('s', append(id))
    expect(indexed()).toStrictEqual([])
    await store.changeSession('s', append(...idsFrom(BLOCK - 1, 1)))
    expect(indexed()).toStrictEqual(numbers(BLOCK))
    await store.changeSession('s', append(...idsFrom(BLOCK, 2 * BLOCK + 5)))
    expect(indexed()).toStrictEqual(numbers(3 * BLOCK))
    for (const id of ['t0', `t${BLOCK - 1}`, `t${BLOCK}`, `t${3 * BLOCK}`, `t${3 * BLOCK + 4}`]) {
      expect(await store.changeSession('s', append(id))).toMatchObject({ deduplicated: [id], turnCount: 3 * BLOCK + 5 })
      expect((await store.readTurns('s', { turnId: id }))?.turns).toMatchObject([{ turnId: id }])
    }
  })

  it('that a rewind drops are gone, and may be used again', async () => {
    const store = folder.open({ durability: 'process-crash' })
    const count = 2 * BLOCK + 7
    for (const kept of [0, 1, BLOCK - 1, BLOCK, BLOCK + 3, 2 * BLOCK, count - 1]) {
      await store.saveSession({ sessionId: 's', createdAt: at })
      await store.changeSession('s', append(...idsFrom(0, count)))
      await store.changeSession('s', { keepTurns: kept, updatedAt: at })
      expect([kept, indexed()]).toStrictEqual([kept, numbers(kept)])
      for (let number = kept; number < count + BLOCK; number += 1) {
        expect(await store.changeSession('s', append(`t${number}`))).toMatchObject({ deduplicated: [] })
        expect(await store.changeSession('s', append(`t${number}`))).toMatchObject({ deduplicated: [`t${number}`] })
      }
      expect(await store.checkIntegrity()).toStrictEqual({ ok: true, problems: [] })
    }
    await store.deleteSession('s')
    expect(indexed()).toStrictEqual([])
  })

  it('that are missing in the index, or lead elsewhere, are reported by checkIntegrity', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    await store.changeSession('s', append(...idsFrom(0, BLOCK)))
    folder.handle().exec(`DELETE FROM turnstore_turn_ids WHERE turn_id = 't3'`)
    folder.handle().exec(`UPDATE turnstore_turn_ids SET seq = 5 WHERE turn_id = 't4'`)
    expect((await store.checkIntegrity()).problems).toStrictEqual([
      { sessionId: null, message: '1 turn ids belong to missing turns' },
      { sessionId: 's', message: 'Turn 3 cannot be found by its id' },
      { sessionId: 's', message: 'Turn 4 cannot be found by its id' },
    ])
  })

  // Random appends, retries, rewinds, updates and saves, against the memory store.
  const seed = Date.now() % 100_000
  it.each(Array.from({ length: 3 * thoroughness }, (_, i) => seed + i))(
    'behave as in the memory store under random changes (seed %i)',
    async seed => {
      const store = folder.open({ durability: 'process-crash' })
      const model = new InMemorySessionStore()
      const moments = momentsOf(seed)
      const below = (most: number): number => Math.floor(moments.next().value * most)
      /** From a small range, so that many exist already, or occur twice. */
      const someIds = (): string[] => [
        ...new Set(Array.from({ length: 1 + below(below(4) === 0 ? 90 : 4) }, () => `t${below(150)}`)),
      ]
      const someChange = (turnCount: number): SessionChange => {
        const kind = below(10)
        if (kind === 0) return { keepTurns: below(turnCount + 1), updatedAt: at }
        if (kind === 1) return { keepTurns: below(turnCount + 1), ...append(...someIds()) }
        if (kind === 2) return { updateTurns: [{ turnId: `t${below(150)}`, set: { status: 'error' } }], updatedAt: at }
        if (kind === 3) {
          return { appendAgentTransitions: [{ toAgent: 'x', turnId: `t${below(150)}`, timestamp: at }], updatedAt: at }
        }
        return append(...someIds())
      }
      const both = async (call: (store: SessionStore) => Promise<unknown>): Promise<unknown> => {
        const [found, expected] = [await outcomeOf(call(store)), await outcomeOf(call(model))]
        expect({ seed, found }).toStrictEqual({ seed, found: expected })
        return expected
      }
      for (const sessionId of ['a', 'b'])
        await both(each => each.saveSession({ sessionId, createdAt: at, updatedAt: at }))
      for (let step = 0; step < 120; step++) {
        const sessionId = below(3) === 0 ? 'b' : 'a'
        if (below(25) === 0) {
          // Old files may have an id twice, even in adjacent turns.
          const turns = Array.from({ length: below(3 * BLOCK) }, () => ({ turnId: `t${below(60)}` }))
          await both(each => each.saveSession({ sessionId, createdAt: at, updatedAt: at, turns }))
        }
        const change = someChange((await model.loadSummary(sessionId))?.turnCount ?? 0)
        await both(each => each.changeSession(sessionId, change))
        const turnId = `t${below(150)}`
        await both(each => each.readTurns(sessionId, { turnId }))
        await both(each => each.readTurns(sessionId, { last: 3 }))
      }
      for (const sessionId of ['a', 'b']) await both(each => each.loadSession(sessionId))
      expect(await store.checkIntegrity()).toStrictEqual({ ok: true, problems: [] })
    },
  )
})
