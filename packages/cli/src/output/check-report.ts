import type { Cli } from '../terminal/cli.js'
import { count } from '../terminal/figure.js'
import type { RunSummary } from '../terminal/run-summary.js'

/** What a check found. */
export class CheckReport implements RunSummary {
  readonly isJson: boolean
  /** Sessions read so far. */
  read = 0
  readonly #cli: Cli
  readonly #problems: { session_id: string | null; message: string }[] = []

  constructor(cli: Cli, isJson: boolean) {
    this.#cli = cli
    this.isJson = isJson
  }

  /** @param sessionId null if it concerns the store as a whole */
  addDamage(sessionId: string | null, message: string): void {
    this.#problems.push({ session_id: sessionId, message })
    this.#cli.fail(
      sessionId === null || message.includes(`Session ${sessionId} `) ? message : `Session ${sessionId}: ${message}`,
    )
  }

  text(): string {
    const found = this.#problems.length === 0 ? 'no damage' : count(this.#problems.length, 'problem')
    return `${count(this.read, 'session')} checked: ${found}`
  }

  json(isWhole: boolean): unknown {
    return { complete: isWhole, ok: this.#problems.length === 0, sessions: this.read, problems: this.#problems }
  }
}
