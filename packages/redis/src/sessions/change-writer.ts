import type { AgentTransitionRecord, ChangeResult, Limits } from '@turnstore/core'
import {
  Backoff,
  type ChangePlan,
  type CheckedChange,
  type Condition,
  encodeTransition,
  encodeTurn,
  isDropped,
  KeyedMutex,
  planChange,
  resultOf,
  sessionNotFound,
  timeKey,
  withOutcome,
} from '@turnstore/core/adapter'
import { type Keyspace, scopeField, transitionField, turnField, workspaceOf } from '../format/keyspace.js'
import { readWritten, refusalOf, type Written } from '../format/script-replies.js'
import { encodeFrame } from '../format/session-head.js'
import { newStamp } from '../listing/index-entry.js'
import type { IndexSync } from '../listing/index-sync.js'
import { storeBusy } from '../server/redis-errors.js'
import { type Args, type Call, newToken, type ServerConnection } from '../server/server-connection.js'
import { type AppendOutcome, AppendQueue, type WaitingAppend } from './append-queue.js'
import type { ChangeViewReader, Examined, ReadView } from './change-view.js'

/** Changes sessions: an append is one script; any other change reads, decides, and writes conditionally. */
export class ChangeWriter {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #sync: IndexSync
  readonly #views: ChangeViewReader
  readonly #limits: Limits
  readonly #ttlMs: number
  /** Changes of a session that read before they write, one at a time. So they lose only to other processes. */
  readonly #queue = new KeyedMutex()
  readonly #appends = new AppendQueue((sessionId, batch) => this.#append(sessionId, batch))

  constructor(
    connection: ServerConnection,
    keyspace: Keyspace,
    sync: IndexSync,
    views: ChangeViewReader,
    settings: { readonly limits: Limits; readonly ttlMs: number },
  ) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#sync = sync
    this.#views = views
    this.#limits = settings.limits
    this.#ttlMs = settings.ttlMs
  }

  async change(sessionId: string, change: CheckedChange, condition: Condition, call: Call): Promise<ChangeResult> {
    if (isAppend(change) && !this.#queue.isBusy(sessionId)) {
      const outcome = await this.#appends.add(sessionId, { change, condition, deadline: call.deadline })
      if (outcome === 'missing') throw sessionNotFound(sessionId)
      if (outcome !== 'decide') return outcome
    }
    return this.#queue.run(sessionId, () => this.#decide(sessionId, change, condition, call))
  }

  /** Sends a batch of appends as one script, without reading first. */
  async #append(sessionId: string, batch: readonly WaitingAppend[]): Promise<AppendOutcome[]> {
    const call = { sessionId, deadline: Math.min(...batch.map(({ deadline }) => deadline)) }
    const stamp = newStamp(this.#connection.serverTime(call.deadline))
    const times = batch.map(({ change }) => timeKey(change.updatedAt))
    const [{ condition } = { condition: null }] = batch
    const args = appendArgs(batch, times)
    const place = { time: times.reduce((last, time) => (time > last ? time : last), ''), stamp }
    const { reply, outcomes } = await this.#sync.write(sessionId, place, condition?.scope, call, async indexes => {
      const keys = [...this.#keyspace.session(sessionId), ...indexes]
      const [status = '', workspace = '', time = '', nowStamp = '', timeBefore = '', stampBefore = '', ...texts] =
        await this.#connection.operate('append', keys, [this.#ttlMs, sessionId, stamp, ...args], call)
      if (status !== 'ok') return { reply: [status, workspace], move: null, outcomes: [] }
      const move = {
        workspaceId: workspaceOf(workspace),
        now: { time, stamp: nowStamp },
        before: { time: timeBefore, stamp: stampBefore },
      }
      return { reply: [status], move: workspace === '' ? null : move, outcomes: texts }
    })
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    return batch.map(({ change }, index) =>
      reply[0] === 'missing' ? 'missing' : appendOutcome(change, outcomes[index] ?? ''),
    )
  }

  /** Reads what the change depends on, decides, and writes if that is unchanged. Otherwise it starts again. */
  async #decide(sessionId: string, change: CheckedChange, condition: Condition, call: Call): Promise<ChangeResult> {
    const backoff = new Backoff(call.deadline - performance.now())
    const examined: Examined = { whole: null }
    for (;;) {
      const result = await this.#attempt(sessionId, change, condition, call, examined)
      if (result !== null) return result
      if (!(await backoff.wait())) throw storeBusy(sessionId)
    }
  }

  /** Null if another writer was faster. */
  async #attempt(
    sessionId: string,
    change: CheckedChange,
    condition: Condition,
    call: Call,
    examined: Examined,
  ): Promise<ChangeResult | null> {
    const read = await withOutcome('not-stored', () =>
      this.#views.read(sessionId, change, condition.scope, call, examined),
    )
    if (read === null) throw sessionNotFound(sessionId)
    if (read === 'moved') return null
    const plan = planChange(read.view, change, condition.ifRevision, this.#limits)
    if (!plan.changed) return resultOf(plan)
    const written = await this.#apply(sessionId, change, condition, read, plan, call)
    if (written === null) return null
    return { revision: written.revision, turnCount: written.turnCount, deduplicated: plan.deduplicated }
  }

  /** Null if what the plan was based on has changed. */
  async #apply(
    sessionId: string,
    change: CheckedChange,
    condition: Condition,
    { head, view, places, rewind }: ReadView,
    plan: ChangePlan,
    call: Call,
  ): Promise<Written | null> {
    const { summary } = head
    const isWide =
      Object.keys(change.setMetadata).length > 0 || change.unsetMetadata.length > 0 || change.agentId !== undefined
    const stays = rewind?.transitions.filter(transition => !isDropped(view, transition, plan.keepTurns)) ?? []
    const keptTransitionRows = transitionRows(stays)
    const args = (stamp: string): Args => [
      this.#ttlMs,
      head.generation,
      // Also for a rewind that drops nothing: it must drop turns that others append before it is written.
      condition.ifRevision !== undefined || change.keepTurns !== undefined ? summary.revision : '',
      isWide ? head.wideRevision : '',
      JSON.stringify(change.updatedAt),
      timeKey(change.updatedAt),
      stamp,
      sessionId,
      plan.metadata === undefined ? '' : JSON.stringify(plan.metadata),
      plan.agentId === undefined
        ? ''
        : encodeFrame({ ...summary, agentId: plan.agentId, ...(head.extra && { extra: head.extra }) }),
      plan.keepTurns ?? '',
      rewind === null ? head.generation : newToken(),
      ...list([...places]),
      ...list([...(rewind?.dropped ?? [])]),
      ...list(
        plan.replaceTurns.map(({ index, turn }) => {
          const field = turnField(turn.turnId)
          const known = rewind?.dropped.get(field) ?? places.get(field) ?? ''
          return [field, known.slice(0, known.lastIndexOf(' ') + 1), index, JSON.stringify(encodeTurn(turn))]
        }),
      ),
      ...list(plan.appendTurns.map(turn => [turnField(turn.turnId), JSON.stringify(encodeTurn(turn))])),
      ...list(transitionRows(plan.appendAgentTransitions)),
      ...list(keptTransitionRows),
    ]
    const stamp = newStamp(this.#connection.serverTime(call.deadline))
    const place = { time: timeKey(change.updatedAt), stamp }
    const { reply, move } = await this.#sync.write(sessionId, place, summary.workspaceId, call, async indexes => {
      const keys = [...this.#keyspace.session(sessionId), ...indexes]
      const reply = await this.#connection.operate('apply', keys, args(stamp), call)
      const written = readWritten(reply)
      return { reply, move: written, outcomes: [] }
    })
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    return move === null ? null : readWritten(reply)
  }
}

/** Whether a change only appends, each id once: then the script recognizes what is new. */
function isAppend(change: CheckedChange): boolean {
  const { appendTurns, appendAgentTransitions } = change
  const transitionIds = appendAgentTransitions.flatMap(({ transitionId }) => transitionId ?? [])
  return (
    appendTurns.length + appendAgentTransitions.length > 0 &&
    change.keepTurns === undefined &&
    change.updateTurns.length === 0 &&
    change.agentId === undefined &&
    change.unsetMetadata.length === 0 &&
    Object.keys(change.setMetadata).length === 0 &&
    new Set(appendTurns.map(({ turnId }) => turnId)).size === appendTurns.length &&
    new Set(transitionIds).size === transitionIds.length
  )
}

/** If two transitions have the same id, only the first one gets the field of the id. */
function transitionRows(transitions: readonly AgentTransitionRecord[]): string[][] {
  const known = new Set<string>()
  return transitions.map(transition => {
    const field = transitionField(transition.transitionId)
    const isFirst = !known.has(field)
    known.add(field)
    return [isFirst ? field : '', JSON.stringify(encodeTransition(transition))]
  })
}

/** A list as `apply` reads it: its length first. */
function list(rows: readonly (readonly (string | number)[])[]): Args {
  return [rows.length, ...rows.flat()]
}

/** The arguments of the script `append` from the number of appends on. */
function appendArgs(batch: readonly WaitingAppend[], times: readonly string[]): Args {
  const fields: string[] = []
  const texts: string[] = []
  const descriptions: (string | number)[] = []
  for (const [index, { change, condition }] of batch.entries()) {
    const { appendTurns, appendAgentTransitions } = change
    for (const turn of appendTurns) {
      fields.push(turnField(turn.turnId))
      texts.push(JSON.stringify(encodeTurn(turn)))
    }
    for (const transition of appendAgentTransitions) {
      fields.push(transitionField(transition.transitionId))
      texts.push(JSON.stringify(encodeTransition(transition)))
    }
    descriptions.push(
      scopeField(condition.scope),
      condition.ifRevision ?? '',
      JSON.stringify(change.updatedAt),
      times[index] ?? '',
      appendTurns.length,
      appendAgentTransitions.length,
    )
  }
  return [batch.length, fields.length, ...fields, ...texts, ...descriptions]
}

/** Reads what the script returned for one append. */
function appendOutcome({ appendTurns }: CheckedChange, text: string): AppendOutcome {
  const [status, revision, turnCount, repeated = ''] = text.split(' ')
  if (status === 'missing') return 'missing'
  if (status !== 'ok' && status !== 'same') return 'decide'
  const places = repeated === '' ? [] : repeated.split(',').map(Number)
  return {
    revision: Number(revision),
    turnCount: Number(turnCount),
    deduplicated: places.flatMap(place => appendTurns[place]?.turnId ?? []),
  }
}
