import { createTurn } from '@turnstore/core'
import type { CheckedChange } from '@turnstore/core/adapter'
import { expect, it } from 'vitest'
import { type ChangeOutcome, ChangeQueue, type WaitingChange } from '../../src/sessions/change-queue.ts'

/** The same for all appends: only those with close deadlines share a batch. */
const DEADLINE = 60_000

const append = (turnId: string): WaitingChange => {
  const change: CheckedChange = {
    appendTurns: [createTurn({ turnId })],
    keepTurns: undefined,
    updateTurns: [],
    appendAgentTransitions: [],
    setMetadata: {},
    unsetMetadata: [],
    agentId: undefined,
    reopen: false,
    updatedAt: '',
  }
  return {
    change,
    condition: { scope: undefined, ifRevision: undefined, idempotency: undefined, creation: undefined },
    deadline: DEADLINE,
  }
}

const outcome = (turnCount: number): ChangeOutcome => ({ revision: turnCount, turnCount, deduplicated: [] })

it('appends made in the same tick share scripts, of which at most four are in flight', async () => {
  const sent: { length: number; answer: () => void; fail: () => void }[] = []
  let first = 0
  const queue = new ChangeQueue((_id, batch) => {
    const from = (first += batch.length) - batch.length
    return new Promise((resolve, reject) => {
      sent.push({
        length: batch.length,
        answer: () => resolve(batch.map((_, index) => outcome(from + index))),
        fail: () => reject(new Error('lost')),
      })
    })
  })
  const outcomes = Array.from({ length: 100 }, (_, index) => queue.add('s', append(`t${index}`)).catch(String))
  await Promise.resolve()
  expect(sent.map(({ length }) => length)).toEqual([24, 24, 24, 24])
  // A later append joins the ones that are left.
  const late = queue.add('s', append('late'))
  // A script that fails rejects only its own appends.
  for (const [index, { answer, fail }] of sent.entries())
    if (index === 1) fail()
    else answer()
  await Promise.all(outcomes.slice(0, 96))
  await new Promise(setImmediate)
  expect(sent.map(({ length }) => length)).toEqual([24, 24, 24, 24, 5])
  sent[4]?.answer()
  expect(await late).toEqual(outcome(100))
  expect(await Promise.all(outcomes)).toEqual(
    outcomes.map((_, index) => (index >= 24 && index < 48 ? 'Error: lost' : outcome(index))),
  )
})
