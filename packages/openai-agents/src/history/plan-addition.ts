import type { JsonObject, SessionChange, ToolCallRecord, TurnRecord, TurnUpdate } from '@turnstore/core'
import { callKey, FORMAT, isCall, notesOf, turnsOf } from '../items/format.js'
import { startedId } from '../items/started-call.js'
import { TurnState } from './turn-state.js'

/** What is known of a session. */
export interface View {
  readonly revision: number
  readonly turnCount: number
  readonly lastTurnId: string | null
  /** The last turn, if more items can be added to it: the items that it has are all this SDK's. */
  readonly open: TurnState | null
}

export const emptyView: View = { revision: 0, turnCount: 0, lastTurnId: null, open: null }

export interface NewItem {
  readonly itemId: string
  readonly value: JsonObject
}

export interface AdditionOptions {
  readonly now: string
  readonly agentId: string | null
  /** Members of the records of calls, by id, that items do not say. */
  readonly calls?: ReadonlyMap<string, Partial<ToolCallRecord>>
  /** Added to the metadata of the first new turn. No item is added to the open one then. */
  readonly newTurn?: JsonObject
  /** All items of the open turn, where its state is not enough. */
  readonly whole?: readonly JsonObject[]
}

export interface Addition {
  readonly change: SessionChange
  /** The open turn when the change is stored. */
  advance(): TurnState | null
}

/**
 * The change that adds items to a session: to the open turn until a user message opens the next. It consists of what is
 * new, so it costs what the items cost.
 */
export function planAddition(view: View, items: readonly NewItem[], options: AdditionOptions): Addition {
  const { now, agentId, calls, newTurn, whole } = options
  if (items.length === 0) return { change: {}, advance: () => view.open }
  const open = newTurn === undefined ? view.open : null
  const context = open === null ? [] : (whole ?? open.context)
  const turnIds = open === null ? [] : [open.turnId]
  const read = turnsOf(
    [...context, ...items.map(({ value }) => value)],
    index => (turnIds[index] ??= crypto.randomUUID()),
  )
  const told = (turn: TurnRecord): ToolCallRecord[] =>
    turn.toolCalls.map(call => ({ ...call, ...calls?.get(call.callId) }))
  const updateTurns: TurnUpdate[] = []
  const appendTurns: TurnRecord[] = []
  let advance = (): TurnState | null => open
  let at = 0
  for (const turn of read) {
    const isOpen = turn.turnId === open?.turnId
    const isLast = turn === read.at(-1)
    const added = items.slice(at, (at += turn.items.length - (isOpen ? context.length : 0)))
    const values = added.map(({ value }) => value)
    const putItems = added.map(({ itemId, value }) => ({ itemId, format: FORMAT, value }))
    if (isOpen) {
      const head = headAfter(open, turn, isLast && added.length > 0, whole !== undefined)
      const set = {
        ...(open.isOpening && turn.prompt !== '' ? { prompt: turn.prompt } : {}),
        ...(head.responseContent === open.responseContent ? {} : { responseContent: head.responseContent }),
        ...(head.status === open.status
          ? {}
          : { status: head.status, endedAt: head.status === 'running' ? null : now }),
      }
      const known = whole === undefined ? open.openCalls.length : 0
      const putToolCalls = told(turn)
        .filter(({ status }, index) => index >= known || status !== 'running')
        .map(call => ({ ...call, replace: true }))
      // Records of begun calls that have another id than those that are read of the items.
      const removeToolCalls = values
        .filter(isCall)
        .filter(call => startedId(call) !== callKey(call))
        .map(startedId)
      // A result of its call may come after the next question.
      if (Object.keys(set).length > 0 || added.length > 0 || putToolCalls.length > 0) {
        updateTurns.push({ turnId: turn.turnId, set, removeToolCalls, putToolCalls, putItems })
      }
      advance = () => {
        if (whole !== undefined) open.isIrregular = true
        open.advance(turn, values, head)
        return open
      }
    } else {
      const metadata = { ...turn.metadata, ...(appendTurns.length === 0 ? newTurn : {}) }
      // Nobody answers what a compaction has left of the history.
      const isOver = newTurn !== undefined && turn.toolCalls.every(({ status }) => status !== 'running')
      const status = isOver ? 'success' : turn.status
      const life = { agentId, startedAt: now, status, endedAt: status === 'running' ? null : now }
      appendTurns.push({ ...turn, ...life, toolCalls: told(turn), items: putItems, metadata })
      advance = () => {
        const state = new TurnState(turn.turnId)
        state.notes = notesOf({ metadata })
        state.advance(turn, values, { ...turn, status })
        return state
      }
    }
  }
  if (open === null && appendTurns.length > 0 && view.lastTurnId !== null) {
    // As when a user message ends the turn that it follows.
    updateTurns.push({ turnId: view.lastTurnId, ifStatus: 'running', set: { status: 'success', endedAt: now } })
  }
  const change = { updateTurns, appendTurns, updatedAt: now, ...(appendTurns.length === 0 ? {} : { reopen: true }) }
  return { change, advance: () => advance() }
}

/** @param isGrown whether items were added, and no other turn was opened after them */
function headAfter(
  open: TurnState,
  read: TurnRecord,
  isGrown: boolean,
  isWhole: boolean,
): Pick<TurnRecord, 'status' | 'responseContent'> {
  // An empty text is a response only where there is no other. The context has one where the turn is answered.
  const isFromContext = !isWhole && open.status === 'success'
  const isEmpty = read.responseContent === '' && (isFromContext || open.responseContent !== null)
  return {
    status: isGrown ? read.status : open.status === 'running' ? 'success' : open.status,
    responseContent: read.responseContent === null || isEmpty ? open.responseContent : read.responseContent,
  }
}
