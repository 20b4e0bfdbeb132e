import { printableLine } from '@turnstore/core'
import cliProgress from 'cli-progress'
import type { Cli } from '../terminal/cli.js'
import { count } from '../terminal/figure.js'
import { progressLine } from './progress-line.js'

/** Without a terminal, prints a line after this many sessions. */
const LINE_EVERY = 1000

interface Payload {
  readonly sessions: number
}

interface Progressing {
  /** What is being done. */
  readonly verb: string
  /** The same for a bar, which has less room. */
  readonly shown?: string
  readonly total: number
  readonly quiet: boolean
}

/** Shows progress: a bar on a terminal, lines elsewhere, nothing if `quiet`. */
export class Progress {
  readonly #cli: Cli
  readonly #verb: string
  readonly #bar: cliProgress.SingleBar | null = null
  readonly #quiet: boolean
  readonly #writeNote: Cli['writeNote']
  #sessions = 0
  #value = 0

  /** @param total in the unit of {@link advance} (bytes or sessions); 0 if unknown */
  constructor(cli: Cli, { verb, shown = verb, total, quiet }: Progressing) {
    this.#cli = cli
    this.#verb = verb
    this.#quiet = quiet
    this.#writeNote = cli.writeNote
    if (quiet || cli.stderr.isTTY !== true || total === 0) return
    this.#bar = new cliProgress.SingleBar(
      {
        format: (_options, { progress, eta }, { sessions }: Payload) =>
          progressLine({ verb: printableLine(shown), share: progress, sessions, eta, columns: cli.stderr.columns }),
        stream: cli.stderr,
        clearOnComplete: true,
        hideCursor: null,
        gracefulExit: false,
      },
      cliProgress.Presets.legacy,
    )
    this.#bar.start(total, 0, this.#payload)
    // The bar redraws the row where it started, so it restarts below the line.
    cli.writeNote = line => {
      this.#bar?.stop()
      this.#writeNote(line)
      this.#bar?.start(total, this.#value, this.#payload)
    }
  }

  get #payload(): Payload {
    return { sessions: this.#sessions }
  }

  /** Counts one more session. `value`: progress so far, in the unit of `total`. */
  advance(value: number): void {
    this.#sessions++
    this.#value = value
    this.#bar?.update(value, this.#payload)
    if (this.#bar === null && !this.#quiet && this.#sessions % LINE_EVERY === 0) {
      this.#cli.note(`${this.#verb}: ${count(this.#sessions, 'session')} so far`)
    }
  }

  stop(): void {
    this.#bar?.stop()
    this.#cli.writeNote = this.#writeNote
  }
}
