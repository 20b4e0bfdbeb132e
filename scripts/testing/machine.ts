// What the machine that runs the tests can do, and how much of it they are to do.
import { spawnSync } from 'node:child_process'

export const isRoot = process.getuid?.() === 0
export const isLinux = process.platform === 'linux'

export const hasStrace: boolean = has('strace', '-V')
export const hasPrlimit: boolean = has('prlimit', '--version')
export const mayMount: boolean = isRoot && has('mount', '--version')

/**
 * How many rounds the tests with random moments make. `npm test` makes few of them; `npm run test:long` sets
 * `TURNSTORE_THOROUGH=10`, which makes ten times as many.
 */
export const thoroughness = Number(process.env.TURNSTORE_THOROUGH ?? 1)
export const isThorough: boolean = thoroughness > 1

/** Random numbers from 0 to 1, the same again with the same seed. */
export function* momentsOf(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield state / 2 ** 32
  }
}

function has(program: string, ...args: string[]): boolean {
  return isLinux && spawnSync(program, args).status === 0
}
