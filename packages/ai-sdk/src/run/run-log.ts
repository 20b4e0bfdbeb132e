import { type TurnRecord, TurnstoreError, type TurnUpdate } from '@turnstore/core'
import { KeyedMutex } from '@turnstore/core/adapter'
import type { ChatLog } from '../history/chat-log.js'
import { markOf } from '../history/run-mark.js'

type Update = Omit<TurnUpdate, 'turnId'>

/**
 * The turn of a run in its store. Each write costs what it writes. It depends on the revision, so that no write is
 * stored after another run, or a save, has taken the turn over.
 */
export class RunLog {
  readonly #log: ChatLog
  readonly #turnId: string
  readonly runId: string
  /** Null: to be looked up. */
  #revision: number | null
  readonly #queue = new KeyedMutex()

  constructor(log: ChatLog, turnId: string, runId: string, revision: number) {
    this.#log = log
    this.#turnId = turnId
    this.runId = runId
    this.#revision = revision
  }

  /** @throws `MESSAGE_CONFLICT` if the turn is no longer the run's */
  async update(update: Update): Promise<void> {
    await this.#exclusive(async () => {
      const revision = this.#revision ?? (await this.#head()).revision
      await this.#change(update, revision)
    })
  }

  /** Changes the turn by what it is. @throws `MESSAGE_CONFLICT` */
  async rewrite(updateOf: (turn: TurnRecord) => Update): Promise<void> {
    await this.#exclusive(async () => {
      const { turn, revision } = await this.read()
      await this.#change(updateOf(turn), revision)
    })
  }

  /** @throws `MESSAGE_CONFLICT` */
  async read(): Promise<{ turn: TurnRecord; revision: number }> {
    const { store } = this.#log.place
    const page = await store.readTurns(this.#log.chatId, { turnId: this.#turnId }, this.#log.scope())
    return { turn: this.#own(page?.turns[0]), revision: page?.revision ?? 0 }
  }

  async #head(): Promise<{ revision: number }> {
    const { store } = this.#log.place
    const options = { ...this.#log.scope(), parts: 'none' as const }
    const page = await store.readTurns(this.#log.chatId, { turnId: this.#turnId }, options)
    this.#own(page?.turns[0])
    return { revision: page?.revision ?? 0 }
  }

  #own<Turn extends Pick<TurnRecord, 'metadata'>>(turn: Turn | undefined): Turn {
    if (turn !== undefined && markOf(turn)?.runId === this.runId) return turn
    throw new TurnstoreError('MESSAGE_CONFLICT', 'Another run or save has taken over what this run answers', {
      outcome: 'not-stored',
      sessionId: this.#log.chatId,
    })
  }

  async #change(update: Update, revision: number): Promise<void> {
    this.#revision = null
    const change = { updateTurns: [{ turnId: this.#turnId, ...update }] }
    this.#revision = await this.#log.change(change, revision)
  }

  async #exclusive(work: () => Promise<void>): Promise<void> {
    await this.#queue.run('', async () => this.#log.retry(work))
  }
}
