import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { mutants } from './mutants/all.ts'
import type { Catch } from './mutants/catch.ts'
import type { Mutant } from './mutants/mutant.ts'

/*
 * What the suite is worth: stores that are wrong in one way each, and each is caught by the group that is meant to.
 */

const catcher = fileURLToPath(new URL('mutants/catch.ts', import.meta.url))

/** Runs them in a process of its own, where what they leave undone does no harm. */
async function catchAll(some: readonly Mutant[]): Promise<Catch[]> {
  const faults = some.map(({ fault }) => fault)
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', catcher, ...faults], {
    maxBuffer: 2 ** 28,
  })
  return stdout.trim().split('\n').map(readCatch)
}

function readCatch(line: string): Catch {
  const read: unknown = JSON.parse(line)
  if (!isCatch(read)) throw new Error(`the process said: ${line.slice(0, 200)}`)
  return read
}

function isCatch(value: unknown): value is Catch {
  return typeof value === 'object' && value !== null && 'fault' in value && 'failed' in value && 'message' in value
}

const catches = new Map<string, Catch>()

beforeAll(async () => {
  // The one that waits until it is found to hang keeps no other waiting.
  const hanging = mutants.filter(({ fault }) => fault.startsWith('never ends'))
  const killed = mutants.filter(({ caughtBy }) => caughtBy === 'crash')
  // These are found by what does not come.
  const silent = mutants.filter(({ caughtBy }) => caughtBy === 'watch')
  const rest = mutants.filter(mutant => ![hanging, killed, silent].some(some => some.includes(mutant)))
  const results = await Promise.all([hanging, killed, silent, rest].map(catchAll))
  for (const result of results.flat()) catches.set(result.fault, result)
  // A kill has to come at the right moment, which on a busy machine it may not in one run.
  for (let again = 0; again < 2; again++) {
    const missed = killed.filter(({ fault }) => catches.get(fault)?.failed === null)
    if (missed.length === 0) break
    for (const result of await catchAll(missed)) catches.set(result.fault, result)
  }
}, 600_000)

for (const group of new Set(mutants.map(({ caughtBy }) => caughtBy))) {
  describe(`The group ${group} catches a store that`, () => {
    const faults = mutants.filter(({ caughtBy }) => caughtBy === group).map(({ fault }) => fault)
    it.each(faults)('%s', fault => {
      const { failed, message } = catches.get(fault) ?? { failed: null, message: '' }
      expect(failed).not.toBeNull()
      // Which promise, or which part of the contract.
      expect(message).toMatch(/^(promise \d+, |the )[\w ,]+: /)
      // Whatever the store says, a failure is short.
      expect(message.length).toBeLessThan(12_000)
    })
  })
}

it('A failure shows ids that look alike by their code points', () => {
  const fault = 'takes ids that differ by their normal form for one'
  expect(catches.get(fault)?.message).toContain("the id '\\u212a' reaches the session of 'K'")
})

it('There are 200 of them, each with a name of its own', () => {
  expect(new Set(mutants.map(({ fault }) => fault)).size).toBe(mutants.length)
  expect(mutants.length).toBeGreaterThanOrEqual(200)
})
