import type { JsonObject, TurnRecord } from '@turnstore/core'
import { digestOf } from '@turnstore/core/adapter'
import { writableFormat } from '@turnstore/formats'
import { FORMAT, isMessage, type Message } from './message.js'

const format = writableFormat(FORMAT)
const chat = writableFormat('chat')

/** The turns of messages, in order. What a reader does not know is kept in its item. */
export function turnsOf(messages: readonly Message[], turnId?: string): TurnRecord[] {
  const options = { onProblem() {}, ...(turnId === undefined ? {} : { turnId: idsFrom(turnId) }) }
  return format.toTurns(messages, options)
}

/** The messages of each exchange: a user message and what answers it. */
export function exchangesOf(messages: readonly Message[]): Message[][] {
  let at = 0
  return turnsOf(messages).map(({ items }) => messages.slice(at, (at += items.length)))
}

/** The messages of a turn that another SDK recorded. Their ids are made of the turn's. */
export function messagesOfOthers(turn: TurnRecord): Message[] {
  const written = writtenBy(turn)
  if (written.every(isMessage)) return written
  // Messages of an older version of this SDK. What they say is written anew.
  const said = chat.fromTurns([turn]).messages
  const [first, ...others] = chat.toTurns(said, { onProblem() {}, turnId: idsFrom(turn.turnId) })
  return first === undefined ? [] : [first, ...others].flatMap(each => writtenBy(each).filter(isMessage))
}

function writtenBy(turn: TurnRecord): JsonObject[] {
  return format.fromTurns([turn]).messages
}

/** The first turn has the id. */
function idsFrom(turnId: string): (index: number) => string {
  return index => (index === 0 ? turnId : digestOf([turnId, index]))
}
