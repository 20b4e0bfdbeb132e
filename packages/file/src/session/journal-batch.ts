import type { ChangePlan, CheckedChange } from '@turnstore/core/adapter'
import { FilesChanged } from '../disk/read-file.js'
import { encodeEntry, entryOf } from '../format/journal-entry.js'
import { encodeRecord } from '../format/journal.js'
import type { JournalWriter } from './journal-writer.js'
import type { TurnIndex } from './turn-index.js'
import type { JournalFile } from './turn-places.js'

/** Changes that are decided one after the other and written to the journal at once. */
export class JournalBatch {
  readonly #index: TurnIndex
  readonly #writer: JournalWriter
  #text = ''
  /** Where the next line will be. */
  #end = 0
  #last: JournalFile['last'] = null

  constructor(index: TurnIndex, writer: JournalWriter) {
    this.#index = index
    this.#writer = writer
  }

  /** Must be called before `add`. Another call does nothing. */
  async begin(): Promise<void> {
    if (this.#text !== '' || this.#end > 0) return
    const { journal, preface } = await this.#writer.begin(this.#index)
    this.#index.journal = journal
    this.#text = preface
    this.#end = journal.size + Buffer.byteLength(preface)
  }

  add(plan: ChangePlan, change: CheckedChange): void {
    const journal = this.#journal()
    const entry = entryOf(plan, change)
    const line = encodeRecord(plan.revision, encodeEntry(entry))
    this.#index.apply(entry, plan.revision, { journal, offset: this.#end + line.offset, length: line.length })
    this.#last = { offset: this.#end, front: line.text.slice(0, line.offset) }
    this.#text += line.text
    this.#end += line.bytes
  }

  write(): void {
    const journal = this.#journal()
    this.#writer.append(journal, Buffer.from(this.#text))
    journal.end = this.#end
    journal.size = this.#end
    journal.torn = false
    journal.last = this.#last
    journal.isNeeded = true
  }

  #journal(): JournalFile {
    const { journal } = this.#index
    if (journal === null) throw new FilesChanged()
    return journal
  }
}
