import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Caller, callerOf, type Operation } from '../../src/histories/operations.ts'
import { programOf, runProgram } from '../../src/histories/programs.ts'
import { changeOf, sessionOf, turnOf } from '../../src/samples/samples.ts'
import { type Call, findOrder } from '../../src/histories/single-order.ts'
import { RowStore } from '../mutants/row-store.ts'
import { MemoryRows } from '../mutants/rows.ts'

/** Lets a call begin long before it happens and end long after, so that many calls overlap. */
function slow(call: Caller, ticks: () => number): Caller {
  const pause = async (): Promise<void> => {
    for (let left = ticks(); left > 0; left--) await Promise.resolve()
  }
  return async (method, ...args) => {
    await pause()
    try {
      return await call(method, ...args)
    } finally {
      await pause()
    }
  }
}

describe('the search for a single order', () => {
  it('finds that of a right store, however its calls overlap', async () => {
    const property = fc.asyncProperty(
      programOf(4, 6),
      fc.array(fc.nat(40), { minLength: 200, maxLength: 200 }),
      async (program, pauses) => {
        let next = 0
        const ticks = (): number => pauses[next++ % pauses.length] ?? 0
        const call = slow(callerOf(new RowStore(new MemoryRows(), {})), ticks)
        await runProgram(program, [
          ['one', call],
          ['other', call],
        ])
      },
    )
    await fc.assert(property, { numRuns: 300 })
  })

  it('tries a change that alters nothing where it stands at later places as well', () => {
    const record = sessionOf('s', { turns: [turnOf('a')] })
    const rewind: Operation = { method: 'changeSession', id: 's', change: changeOf({ keepTurns: 0 }) }
    const remove: Operation = { method: 'deleteSession', id: 's' }
    const calls: [who: string, Operation, value: unknown, began: number, ended: number][] = [
      ['a', { method: 'saveSession', id: 's', record: sessionOf('s') }, 1, 1, 2],
      ['a', { method: 'changeSession', id: 's', change: changeOf({ agentId: 'x' }) }, changed(2), 3, 4],
      // Fits here, and behind the last save.
      ['a', rewind, changed(2), 5, 12],
      ['b', remove, true, 6, 7],
      ['b', { method: 'saveSession', id: 's', record }, 1, 8, 9],
      [
        'b',
        { method: 'readTurns', id: 's', range: {} },
        { turns: [], firstIndex: 0, turnCount: 0, revision: 2 },
        10,
        11,
      ],
    ]
    const history = calls.map(([who, operation, value, began, ended], place): Call => ({
      who,
      place,
      operation,
      outcome: { kind: 'gave', value },
      began,
      ended,
    }))
    expect(findOrder(null, history)).toMatchObject({ found: true, left: [] })
  })
})

function changed(revision: number): unknown {
  return { revision, turnCount: 0, deduplicated: [] }
}
