import type { JsonObject, TurnRecord, TurnStatus } from '@turnstore/core'
import { isValidId } from '@turnstore/core/adapter'
import { callKey, isCall, isOpening, notesOf, ownItems, turnsOf } from '../items/format.js'

/**
 * What has to be known of the open turn to add the next items without reading it, whatever it holds. The calls that
 * wait for their results are all that a later item refers to.
 */
export class TurnState {
  readonly turnId: string
  status: TurnStatus = 'running'
  responseContent: string | null = null
  /** What this package keeps in the metadata of the turn. */
  notes: JsonObject = {}
  /** Only system messages so far. */
  isOpening = true
  /** Whether a call has another id in the record than in its item. Then the turn has to be read to add to it. */
  isIrregular = false
  /** The items of the calls without a result, in order. */
  openCalls: readonly JsonObject[] = []
  /** The ids of all calls. */
  readonly #callIds = new Set<string>()

  constructor(turnId: string) {
    this.turnId = turnId
  }

  static of(turn: TurnRecord): TurnState {
    const items = ownItems(turn).map(({ value }) => value)
    const [read = turn] = turnsOf(items, () => turn.turnId).slice(-1)
    const state = new TurnState(turn.turnId)
    state.notes = notesOf(turn)
    state.advance(read, items, turn)
    return state
  }

  /** Items that bring a reader to where the turn stands, so that it reads the next ones as if it had read all. */
  get context(): JsonObject[] {
    if (this.isOpening) return [{ role: 'system', content: '' }]
    const answer = this.status === 'success' ? [{ role: 'assistant', content: '' }] : []
    return [{ role: 'user', content: '' }, ...this.openCalls, ...answer]
  }

  /** Whether added calls repeat an id of the turn, or have none: then their ids depend on all calls before. */
  needsWhole(added: readonly JsonObject[]): boolean {
    if (this.isIrregular) return true
    const seen = new Set<string>()
    return added.filter(isCall).some(item => {
      const key = callKey(item)
      if (!isValidId(key) || seen.has(key) || this.#callIds.has(key)) return true
      seen.add(key)
      return false
    })
  }

  /** Whether the items have the result of a call. */
  isSettled(callId: string): boolean {
    return !this.isIrregular && this.#callIds.has(callId) && !this.openCalls.some(call => callKey(call) === callId)
  }

  /**
   * Takes over items that are stored.
   * @param read the turn, as read from the context and these items
   */
  advance(
    read: TurnRecord,
    added: readonly JsonObject[],
    stored: Pick<TurnRecord, 'status' | 'responseContent'>,
  ): void {
    const calls = [...this.openCalls, ...added.filter(isCall)]
    this.isIrregular = this.needsWhole(added) || calls.length !== read.toolCalls.length
    this.openCalls = this.isIrregular ? [] : calls.filter((_, index) => read.toolCalls[index]?.status === 'running')
    for (const item of added.filter(isCall)) this.#callIds.add(callKey(item))
    this.isOpening &&= isOpening(added)
    this.status = stored.status
    this.responseContent = stored.responseContent
  }
}
