import type { Readable, Writable } from 'node:stream'

interface MaybeTerminal {
  readonly isTTY?: boolean
  readonly columns?: number | undefined
}

/** What a run reads and writes: the process, or substitutes for it in tests. */
export interface Surroundings {
  readonly stdin: Readable & MaybeTerminal
  readonly stdout: Writable & MaybeTerminal
  readonly stderr: Writable & MaybeTerminal
  readonly env: Readonly<Record<string, string | undefined>>
}
