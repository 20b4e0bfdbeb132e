import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Deadlines } from '../../src/server/deadlines.ts'
import { until } from '../servers.js'

it('each call expires at its own deadline, whatever the order, unless it is over', async () => {
  const deadlines = new Deadlines()
  const start = performance.now()
  const expired: [name: string, after: number][] = []
  const add = (name: string, after: number): (() => void) =>
    deadlines.add(start + after, () => expired.push([name, performance.now() - start]))
  add('late', 60)
  add('early', 20)
  const forget = add('over', 40)
  forget()
  add('due', -5)
  await until(() => expired.length === 3)
  expect(expired.map(([name]) => name)).toEqual(['due', 'early', 'late'])
  for (const [name, after] of expired) {
    expect(after, `${name} after ${after} ms`).toBeGreaterThanOrEqual({ due: 0, early: 20, late: 60 }[name] ?? Infinity)
  }
  // After all have expired, another one is not forgotten.
  add('more', 90)
  await sleep(10)
  await until(() => expired.length === 4)
})
