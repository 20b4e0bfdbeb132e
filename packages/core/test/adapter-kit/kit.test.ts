import { describe, expect, it } from 'vitest'
import { KeyedMutex, RecentMap, TimeSlice } from '../../src/adapter.ts'

const turn = (): Promise<void> =>
  new Promise(resolve => {
    setImmediate(resolve)
  })

describe('KeyedMutex', () => {
  it('runs the tasks of one key one at a time, in order of arrival, and those of another beside them', async () => {
    const mutex = new KeyedMutex()
    const log: string[] = []
    const task = (key: string, name: string): Promise<void> =>
      mutex.run(key, async () => {
        log.push(`${name} begins`)
        await turn()
        log.push(`${name} ends`)
      })
    await Promise.all([task('a', '1'), task('a', '2'), task('b', '3')])
    expect(log.slice(0, 2)).toEqual(['1 begins', '3 begins'])
    expect(log.indexOf('2 begins')).toBeGreaterThan(log.indexOf('1 ends'))
  })

  it('hands a failure to its own caller only, and is free again afterwards', async () => {
    const mutex = new KeyedMutex()
    const failing = mutex.run('a', async () => {
      throw new Error('broken')
    })
    const next = mutex.run('a', async () => 'next')
    expect(mutex.isBusy('a')).toBe(true)
    await expect(failing).rejects.toThrow('broken')
    expect(await next).toBe('next')
    expect(mutex.isBusy('a')).toBe(false)
  })
})

describe('RecentMap', () => {
  it('drops the entry that was used longest ago', () => {
    const map = new RecentMap<number>(3)
    for (const [index, key] of ['a', 'b', 'c'].entries()) map.set(key, index)
    expect(map.get('a')).toBe(0)
    map.set('d', 3)
    expect(['a', 'b', 'c', 'd'].map(key => map.get(key))).toEqual([0, undefined, 2, 3])
    map.delete('a')
    expect([...map.values()]).toEqual([2, 3])
  })
})

describe('TimeSlice', () => {
  it('is over after its time, and lets others run when it yields', async () => {
    const slice = new TimeSlice(1)
    expect(slice.isOver).toBe(false)
    while (!slice.isOver);
    let others = 0
    setImmediate(() => others++)
    await slice.yield()
    expect(others).toBe(1)
  })
})
