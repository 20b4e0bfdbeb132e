import type { MergeResult } from '@turnstore/core'
import type { RunSummary } from '../terminal/run-summary.js'
import { MergeCounts } from './merge-counts.js'

/** Why a session was not copied: the target has its id in another workspace, or the session cannot be read or stored. */
export type NotCopied = 'left alone' | 'left out'

/** What became of each session of a copy. */
export class CopyReport implements RunSummary {
  readonly toGoOn = 'Run the same command again to go on: it adds what is missing'
  readonly isJson: boolean
  /** Whether a session is being written at this moment. */
  isWriting = false
  readonly #counts = new MergeCounts()
  readonly #notCopied = { 'left alone': 0, 'left out': 0 }
  readonly #contradictions: { session_id: string; places: readonly string[] }[] = []

  constructor(isJson: boolean) {
    this.isJson = isJson
  }

  add(sessionId: string, result: MergeResult | NotCopied): void {
    if (typeof result === 'string') {
      this.#notCopied[result]++
      return
    }
    this.#counts.add(result)
    const { contradictions: places } = result
    if (places.length > 0) this.#contradictions.push({ session_id: sessionId, places })
  }

  isEmpty(): boolean {
    return this.#counts.isEmpty
  }

  text(): string {
    return this.#counts.sentence(this.#notCopied)
  }

  doubt(): string {
    return this.isWriting ? '; 1 more session may have been stored' : ''
  }

  json(isWhole: boolean): unknown {
    const { 'left alone': left_alone, 'left out': left_out } = this.#notCopied
    return {
      complete: isWhole,
      ...this.#counts.members,
      left_alone,
      left_out,
      contradictions: this.#contradictions,
    }
  }
}
