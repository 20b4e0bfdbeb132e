import { type Cli, Failure } from '../terminal/cli.js'
import { count } from '../terminal/figure.js'
import type { RunSummary } from '../terminal/run-summary.js'

interface Deleting {
  readonly isJson: boolean
  /** Whether nothing is deleted, only listed. */
  readonly isDryRun: boolean
  /** Whether ids were given. Then those that do not exist are reported. */
  readonly isNamed: boolean
}

/** Which sessions were deleted, or would be. */
export class DeleteReport implements RunSummary {
  readonly isJson: boolean
  readonly #cli: Cli
  readonly #isDryRun: boolean
  readonly #isNamed: boolean
  readonly #ids: string[] = []
  readonly #missing: string[] = []

  constructor(cli: Cli, { isJson, isDryRun, isNamed }: Deleting) {
    this.#cli = cli
    this.isJson = isJson
    this.#isDryRun = isDryRun
    this.#isNamed = isNamed
  }

  async add(id: string): Promise<void> {
    this.#ids.push(id)
    if (!this.isJson) await this.#cli.reportLine(`${this.#isDryRun ? 'Would delete' : 'Deleted'} ${id}`)
  }

  addMissing(id: string): void {
    this.#missing.push(id)
    this.#cli.fail(`Session not found: ${id}`)
  }

  text(): string | null {
    if (this.#isNamed) return null
    const sessions = count(this.#ids.length, 'session')
    return this.#isDryRun ? `${sessions} would be deleted` : `${sessions} deleted`
  }

  json(isWhole: boolean): unknown {
    return {
      complete: isWhole,
      [this.#isDryRun ? 'would_delete' : 'deleted']: this.#ids,
      ...(this.#isNamed ? { missing: this.#missing } : {}),
    }
  }
}

/** On a terminal, asks before more is deleted than what was named. In a script, the command is the answer. */
export async function confirmDeletion(cli: Cli, sessions: number): Promise<void> {
  if (sessions === 0 || (await cli.confirm(`Delete ${count(sessions, 'session')}?`))) return
  throw new Failure('Nothing was deleted')
}
