import type { ChangePlan, NormalChange } from '@turnstore/core/adapter'
import { encodeEntry, entryOf } from './entry.js'
import { encodeRecord } from './journal.js'
import type { JournalWriter } from './journal-writer.js'
import type { SessionIndex } from './session-index.js'
import { Moved } from './sources.js'

/** Changes on their way into the journal: decided one after the other, written at once. */
export class Appending {
  readonly #index: SessionIndex
  readonly #writer: JournalWriter
  readonly #lines: Buffer[] = []
  #end = 0

  constructor(index: SessionIndex, writer: JournalWriter) {
    this.#index = index
    this.#writer = writer
  }

  add(plan: ChangePlan, change: NormalChange): void {
    if (this.#lines.length === 0) {
      const { journal, preface } = this.#writer.begin(this.#index)
      this.#index.journal = journal
      this.#push(preface, journal.size)
    }
    const { journal } = this.#index
    if (journal === null) throw new Moved()
    const entry = entryOf(plan, change)
    const { line, offset, length } = encodeRecord(plan.revision, encodeEntry(entry))
    this.#index.apply(entry, plan.revision, { journal, offset: this.#end + offset, length })
    this.#push(line, this.#end)
  }

  #push(line: Buffer, at: number): void {
    this.#lines.push(line)
    this.#end = at + line.length
  }

  write(): void {
    const { journal } = this.#index
    if (journal === null) throw new Moved()
    this.#writer.append(Buffer.concat(this.#lines))
    journal.end = this.#end
    journal.size = this.#end
    journal.torn = false
  }
}
