import { describe, expect, it } from 'vitest'
import { GroupCommit, type WaitingWrite } from '../../src/adapter.ts'
import { TurnstoreError } from '../../src/index.ts'

type Waiting = readonly WaitingWrite<string, string>[]

/** Stores what it is given, and tells what each commit was given. */
function storing(commit?: (waiting: Waiting) => void | Promise<void>) {
  const batches: string[][] = []
  const writes = new GroupCommit<string, string>({
    timeoutMs: 100,
    longestPauseMs: 2,
    async commit(waiting) {
      batches.push(waiting.map(({ write }) => write))
      await commit?.(waiting)
      for (const each of waiting) if (!each.isSettled) each.resolve(`stored ${each.write}`)
    },
  })
  return { batches, writes }
}

const tick = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

const outcomes = async (calls: readonly Promise<string>[]): Promise<unknown[]> =>
  (await Promise.allSettled(calls)).map((call): unknown => (call.status === 'fulfilled' ? call.value : call.reason))

const error = (code: 'STORE_BUSY' | 'STORE_UNAVAILABLE', outcome: 'not-stored' | 'unknown'): TurnstoreError =>
  new TurnstoreError(code, 'it fails', { outcome })

describe('GroupCommit', () => {
  it('commits the writes of one tick together, and those that arrive before it looks at the queue again', async () => {
    const { batches, writes } = storing(tick)
    const first = [writes.add('a'), writes.add('b')]
    await Promise.resolve()
    await Promise.resolve()
    await Promise.resolve()
    const second = [writes.add('c'), writes.add('d')]
    expect(await outcomes([...first, ...second])).toEqual(['a', 'b', 'c', 'd'].map(write => `stored ${write}`))
    // The queue is live: what arrives while a commit awaits is at its end, and this one takes all of it.
    expect(batches).toEqual([['a', 'b']])
  })

  it('keeps the writes that a commit leaves, in their order', async () => {
    const { batches, writes } = storing(waiting => {
      // Settled out of order, as by replies that overtake each other.
      for (const each of waiting.slice(0, 2).toReversed()) each.resolve(each.write)
      throw error('STORE_UNAVAILABLE', 'not-stored')
    })
    expect(await outcomes(['a', 'b', 'c', 'd', 'e'].map(write => writes.add(write)))).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(batches).toEqual([['a', 'b', 'c', 'd', 'e'], ['c'], ['d'], ['e']])
  })

  it('rejects a write alone, if the commit says so', async () => {
    const failure = error('STORE_UNAVAILABLE', 'not-stored')
    const { writes } = storing(waiting => waiting.find(({ write }) => write === 'b')?.reject(failure))
    expect(await outcomes(['a', 'b', 'c'].map(write => writes.add(write)))).toEqual(['stored a', failure, 'stored c'])
  })

  it('finds the write that spoils the commit of all', async () => {
    const failure = error('STORE_UNAVAILABLE', 'not-stored')
    const { batches, writes } = storing(waiting => {
      if (waiting.some(({ write }) => write === 'b')) throw failure
    })
    const calls = ['a', 'b', 'c'].map(write => writes.add(write))
    expect(await outcomes(calls)).toEqual(['stored a', failure, 'stored c'])
    expect(batches).toEqual([['a', 'b', 'c'], ['a'], ['b'], ['c']])
    await writes.add('d')
    await outcomes(['e', 'f'].map(write => writes.add(write)))
    expect(batches.slice(4)).toEqual([['d'], ['e', 'f']])
  })

  it('repeats no write whose fate is unknown', async () => {
    const failure = error('STORE_UNAVAILABLE', 'unknown')
    let fails = true
    const { batches, writes } = storing(() => {
      if (fails) throw failure
    })
    expect(await outcomes(['a', 'b'].map(write => writes.add(write)))).toEqual([failure, failure])
    fails = false
    expect(await writes.add('c')).toBe('stored c')
    expect(batches).toEqual([['a', 'b'], ['c']])
  })

  it('tries again while the store is busy, and each write fails at its own deadline', async () => {
    const busy = error('STORE_BUSY', 'not-stored')
    let isBusy = true
    const { writes } = storing(() => {
      if (isBusy) throw busy
    })
    const soon = writes.add('soon', performance.now() + 10)
    const late = writes.add('late', performance.now() + 60_000)
    expect(await outcomes([soon])).toEqual([busy])
    isBusy = false
    expect(await late).toBe('stored late')
  })

  it('gathers before each commit, and says once that it is idle, in the tick in which it is', async () => {
    const log: string[] = []
    const writes = new GroupCommit<string, void>({
      timeoutMs: 100,
      gather: async () => {
        await tick()
        log.push('gather')
      },
      commit: waiting => {
        log.push(waiting.map(({ write }) => write).join(' '))
        waiting[0]?.resolve()
      },
      idle: () => log.push(writes.drained === null ? 'idle' : 'busy'),
    })
    const calls = [writes.add('a'), writes.add('b')]
    expect(writes.drained).not.toBeNull()
    await writes.drained
    await Promise.all(calls)
    expect(log).toEqual(['gather', 'a b', 'gather', 'b', 'idle'])
    await writes.add('c')
    expect(log.slice(5)).toEqual(['gather', 'c'])
  })
})
