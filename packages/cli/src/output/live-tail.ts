import {
  type JsonObject,
  printableLine,
  type ScopeOptions,
  type SessionStore,
  type ToolCallRecord,
  type TurnHeadRecord,
} from '@turnstore/core'
import { encodeToolCall, encodeTurnHead } from '@turnstore/core/adapter'
import type { Paint } from '../terminal/colors.js'
import { callLine, hasFailed } from './timeline-text.js'

/** What has come to a session, as a line for people and as JSON. */
export interface TailEvent {
  readonly line: string
  readonly event: JsonObject
}

/** What was printed of the turn that may still grow. */
interface Printed {
  readonly turnId: string
  readonly index: number
  status: string
  response: string
  /** The status of each call. */
  readonly calls: string[]
}

/** Calls that are read at a time. */
const CALLS = 100

/** Follows a session: each time, what has come to it since the last time. It reads only what may be new. */
export class LiveTail {
  readonly #store: SessionStore
  readonly #sessionId: string
  readonly #scope: ScopeOptions
  readonly #last: number
  #printed: Printed | null = null
  hasBegun = false

  /** @param last how many turns it begins with */
  constructor(store: SessionStore, sessionId: string, scope: ScopeOptions, last: number) {
    this.#store = store
    this.#sessionId = sessionId
    this.#scope = scope
    this.#last = last
  }

  async *events(paint: Paint): AsyncGenerator<TailEvent> {
    const range = this.#printed === null ? { last: this.#last } : { from: this.#printed.index }
    const page = await this.#store.readTurns(this.#sessionId, range, { ...this.#scope, parts: 'none' })
    if (page === null) return
    this.hasBegun = true
    const known = this.#printed
    const isSame = known === null || page.turns[0]?.turnId === known.turnId
    if (!isSame) {
      yield said(paint, 'yellow', `   ~ rewound to ${page.turnCount} turns`, {
        event: 'rewound',
        turn_count: page.turnCount,
      })
      this.#printed = null
    }
    for (const [at, turn] of page.turns.entries()) yield* this.#turn(turn, page.firstIndex + at, paint)
  }

  async *#turn(turn: TurnHeadRecord, index: number, paint: Paint): AsyncGenerator<TailEvent> {
    const { turnId, prompt, status, responseContent, error, startedAt } = turn
    let printed = this.#printed
    if (printed?.index !== index) {
      printed = { turnId, index, status: '', response: '', calls: [] }
      this.#printed = printed
      const agent = turn.agentId === null ? '' : `  ${turn.agentId}`
      yield said(paint, 'bold', `${index + 1}. ${turnId}${agent}${startedAt === '' ? '' : `  ${startedAt}`}`, {
        event: 'turn',
        index,
        turn: encodeTurnHead(turn),
      })
      if (prompt !== '')
        yield { line: `   > ${printableLine(prompt)}`, event: { event: 'prompt', turn_id: turnId, prompt } }
    }
    yield* this.#calls(printed, turn, paint)
    const response = responseContent ?? ''
    if (response !== printed.response) {
      const isLonger = response.startsWith(printed.response)
      const text = isLonger ? response.slice(printed.response.length) : response
      printed.response = response
      yield {
        line: `   < ${printableLine(text)}`,
        event: { event: 'response', turn_id: turnId, text, replaces: !isLonger },
      }
    }
    if (status === printed.status) return
    printed.status = status
    if (status === 'running') return
    const line = `   ${error === null ? `= ${status}` : `! ${status}: ${error}`}`
    yield said(paint, error === null ? 'dim' : 'red', line, { event: 'end', turn_id: turnId, status, error })
  }

  /** Those that are new, and those that were running. */
  async *#calls(printed: Printed, { turnId, partCounts }: TurnHeadRecord, paint: Paint): AsyncGenerator<TailEvent> {
    const running = printed.calls.indexOf('running')
    let from = running === -1 ? printed.calls.length : running
    while (from < partCounts.toolCalls) {
      const range = { list: 'toolCalls', from, limit: CALLS } as const
      const page = await this.#store.readParts(this.#sessionId, turnId, range, this.#scope)
      if (page === null || page.parts.length === 0) return
      for (const call of page.parts) {
        const before = printed.calls[from]
        printed.calls[from++] = call.status
        if (before !== call.status) yield eventOfCall(call, turnId, paint)
      }
    }
  }
}

function eventOfCall(call: ToolCallRecord, turnId: string, paint: Paint): TailEvent {
  const line = printableLine(callLine(call)).trimEnd()
  return {
    line: hasFailed(call) ? paint('red', line) : line,
    event: { event: 'tool_call', turn_id: turnId, tool_call: encodeToolCall(call) },
  }
}

function said(paint: Paint, style: Parameters<Paint>[0], text: string, event: JsonObject): TailEvent {
  return { line: paint(style, printableLine(text)), event }
}
