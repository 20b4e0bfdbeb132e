import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Deadlines } from '../../src/server/deadlines.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('each call expires at its own deadline, whatever the order, unless it is over', () => {
  const deadlines = new Deadlines()
  const start = performance.now()
  const expired: [name: string, after: number][] = []
  const add = (name: string, after: number): (() => void) =>
    deadlines.add(start + after, () => expired.push([name, Math.round(performance.now() - start)]))
  add('late', 60)
  add('early', 20)
  const forget = add('over', 40)
  forget()
  add('due', -5)
  vi.advanceTimersByTime(19)
  expect(expired).toEqual([['due', 1]])
  vi.advanceTimersByTime(40)
  expect(expired).toEqual([
    ['due', 1],
    ['early', 20],
  ])
  vi.advanceTimersByTime(1)
  expect(expired.at(-1)).toEqual(['late', 60])
  // After all have expired, another one is not forgotten.
  add('more', 90)
  vi.advanceTimersByTime(30)
  expect(expired.map(([name]) => name)).toEqual(['due', 'early', 'late', 'more'])
})

it('those that are due at once expire together, however late the process is', () => {
  const deadlines = new Deadlines()
  const expired: string[] = []
  for (const after of [60, 20]) deadlines.add(performance.now() + after, () => expired.push(`${after}`))
  vi.advanceTimersByTime(1000)
  expect(expired.toSorted()).toEqual(['20', '60'])
})
