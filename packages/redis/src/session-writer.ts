import type { AgentTransitionRecord, ChangeResult, Limits, SessionRecord } from '@turnstore/core'
import {
  Backoff,
  type Condition,
  encodeTransition,
  encodeTurn,
  isDropped,
  type NormalChange,
  planChange,
  type ChangePlan,
  resultOf,
  revisionConflict,
  type Scope,
  sessionExists,
  sessionNotFound,
  timeKey,
} from '@turnstore/core/adapter'
import { type AppendOutcome, AppendQueue, type WaitingAppend } from './append-queue.js'
import { type Args, type Call, type Connection, newToken } from './connection.js'
import { type IndexOrder, type Keyspace, scopeField, transitionField, turnField, workspaceField, workspaceOf } from './keyspace.js'
import { beforeWriting, storeBusy } from './redis-errors.js'
import { encodeSave, type EncodedSave } from './saved-session.js'
import { type IndexWriter, memberOf, newStamp, type Placed } from './session-index.js'
import { SessionQueue } from './session-queue.js'
import { type ReadView, type ViewReader } from './session-view.js'
import { encodeFrame, refusalOf, type Stamped } from './stored-session.js'
import { RecentWorkspaces } from './recent-workspaces.js'

/** Most turns and bytes that one script writes; a longer session is put together in parts. */
const PART = { items: 1000, bytes: 2 * 1024 * 1024 }

/** Where a session stands in the indexes by updatedAt, and where it stood before a write. */
interface Move {
  readonly workspaceId: string | null
  readonly now: Stamped
  readonly before: Stamped
}

/** What a script says of a session that it has written. */
interface Written extends Move {
  readonly revision: number
  readonly turnCount: number
}

/** Writes sessions, and keeps the indexes in step: new entries come before or beside a write, old ones go behind it. */
export class SessionWriter {
  readonly #connection: Connection
  readonly #keyspace: Keyspace
  readonly #index: IndexWriter
  readonly #views: ViewReader
  readonly #limits: Limits
  readonly #ttl: number
  readonly #queue = new SessionQueue()
  readonly #appends = new AppendQueue((sessionId, batch) => this.#append(sessionId, batch))
  readonly #workspaces = new RecentWorkspaces()

  constructor(
    connection: Connection,
    keyspace: Keyspace,
    index: IndexWriter,
    views: ViewReader,
    settings: { readonly limits: Limits; readonly ttl: number },
  ) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#index = index
    this.#views = views
    this.#limits = settings.limits
    this.#ttl = settings.ttl
  }

  // ---- Changes.

  async change(sessionId: string, change: NormalChange, condition: Condition, call: Call): Promise<ChangeResult> {
    if (isAppend(change) && !this.#queue.isBusy(sessionId)) {
      const outcome = await this.#appends.add(sessionId, { change, condition, deadline: call.deadline })
      if (outcome === 'missing') throw sessionNotFound(sessionId)
      if (outcome !== 'decide') return outcome
    }
    return this.#queue.run(sessionId, () => this.#decide(sessionId, change, condition, call))
  }

  /** One script for all of them, without reading anything before. */
  async #append(sessionId: string, batch: readonly WaitingAppend[]): Promise<AppendOutcome[]> {
    const call = { sessionId, deadline: Math.min(...batch.map(({ deadline }) => deadline)) }
    const stamp = newStamp(this.#connection.serverTime(call.deadline))
    const times = batch.map(({ change }) => timeKey(change.updatedAt))
    const [{ condition } = { condition: null }] = batch
    const args = batch.flatMap((append, index) => appendArgs(append, times[index] ?? ''))
    const place = { time: times.reduce((last, time) => (time > last ? time : last), ''), stamp }
    const { reply, outcomes } = await this.#writeIndexed(sessionId, place, condition?.scope, call, async indexes => {
      const keys = [...this.#keyspace.session(sessionId), ...indexes]
      const [status = '', workspace = '', time = '', nowStamp = '', timeBefore = '', stampBefore = '', ...texts] =
        await this.#connection.operate('append', keys, [this.#ttl, sessionId, stamp, batch.length, ...args], call)
      if (status !== 'ok') return { reply: [status, workspace], move: null, outcomes: [] }
      const move = { workspaceId: workspaceOf(workspace), now: { time, stamp: nowStamp }, before: { time: timeBefore, stamp: stampBefore } }
      return { reply: [status], move: workspace === '' ? null : move, outcomes: texts }
    })
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    return batch.map(({ change }, index) => (reply[0] === 'missing' ? 'missing' : appendOutcome(change, outcomes[index] ?? '')))
  }

  /** Reads what the change depends on, decides, and writes if that is unchanged, until it is. */
  async #decide(sessionId: string, change: NormalChange, condition: Condition, call: Call): Promise<ChangeResult> {
    const backoff = new Backoff(call.deadline - performance.now())
    for (;;) {
      const read = await beforeWriting(this.#views.read(sessionId, change, condition.scope, call))
      if (read === null) throw sessionNotFound(sessionId)
      if (read !== 'moved') {
        const plan = planChange(read.view, change, condition.ifRevision, this.#limits)
        if (!plan.changed) return resultOf(plan)
        const written = await this.#apply(sessionId, change, condition, read, plan, call)
        if (written !== null) {
          return { revision: written.revision, turnCount: written.turnCount, deduplicated: plan.deduplicated }
        }
      }
      if (!(await backoff.wait())) throw storeBusy(sessionId)
    }
  }

  /** Null where what the plan was based on has changed. */
  async #apply(
    sessionId: string,
    change: NormalChange,
    condition: Condition,
    { head, view, places, rewind }: ReadView,
    plan: ChangePlan,
    call: Call,
  ): Promise<Written | null> {
    const { summary } = head
    const isWide = Object.keys(change.setMetadata).length > 0 || change.unsetMetadata.length > 0 || change.agentId !== undefined
    const stays = rewind?.transitions.filter(transition => !isDropped(view, transition, plan.keepTurns)) ?? []
    const handoverRows = transitionRows(stays)
    const args = (stamp: string): Args => [
      this.#ttl,
      head.generation,
      condition.ifRevision !== undefined || rewind !== null ? summary.revision : '',
      isWide ? head.wideRevision : '',
      ...this.#updatedArgs(change, stamp),
      sessionId,
      plan.metadata === undefined ? '' : JSON.stringify(plan.metadata),
      plan.agentId === undefined ? '' : encodeFrame({ ...summary, agentId: plan.agentId, ...(head.extra && { extra: head.extra }) }),
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
      ...list(handoverRows),
    ]
    const stamp = newStamp(this.#connection.serverTime(call.deadline))
    const place = { time: timeKey(change.updatedAt), stamp }
    const { reply, move } = await this.#writeIndexed(sessionId, place, summary.workspaceId, call, async indexes => {
      const keys = [...this.#keyspace.session(sessionId), ...indexes]
      const reply = await this.#connection.operate('apply', keys, args(stamp), call)
      const written = readWritten(reply)
      return { reply, move: written, outcomes: [] }
    })
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    return move === null ? null : readWritten(reply)
  }

  #updatedArgs({ updatedAt }: NormalChange, stamp: string): Args {
    return [JSON.stringify(updatedAt), timeKey(updatedAt), stamp]
  }

  /**
   * Runs a script that may move the session to a place in the indexes by updatedAt. Where one server holds
   * everything, the script is given the indexes. Elsewhere the entry of the new place is added beside, sent
   * first, and that of the old place goes when it is there.
   */
  async #writeIndexed<Result extends { readonly move: Move | null }>(
    sessionId: string,
    place: Stamped,
    scope: Scope,
    call: Call,
    run: (indexes: readonly string[]) => Promise<Result>,
  ): Promise<Result> {
    const member = memberOf(sessionId, place)
    const guess = scope === undefined ? this.#workspaces.get(sessionId) : scope
    const guessed =
      guess === undefined ? [this.#keyspace.index('updated', undefined)] : this.#keyspace.indexesOf('updated', guess)
    const isInside = !this.#connection.spreadsKeys
    const beside = isInside || place.time === '' ? [] : guessed.map(key => ({ key, member }))
    const added = this.#add(beside, call)
    let result: Result
    try {
      result = await run(isInside ? guessed : [])
    } catch (error) {
      await added
      throw error
    }
    const isAdded = await added
    const { move } = result
    if (move !== null) this.#workspaces.set(sessionId, move.workspaceId)
    const isThere = move?.now.stamp === place.stamp && move.now.time === place.time
    if (!isThere) this.#index.leave(beside)
    if (move?.now.stamp === place.stamp) {
      await this.#follow(sessionId, move, { written: isInside || isThere ? guessed : [], isInside, isAdded }, call)
    }
    return result
  }

  /** Brings the indexes that were not written yet into line with a session that has moved. */
  async #follow(
    sessionId: string,
    { workspaceId, now, before }: Move,
    done: { written: readonly string[]; isInside: boolean; isAdded: boolean },
    call: Call,
  ): Promise<void> {
    const { written, isInside, isAdded } = done
    const member = memberOf(sessionId, now)
    const keys = this.#keyspace.indexesOf('updated', workspaceId)
    const late = keys.filter(key => !written.includes(key)).map(key => ({ key, member }))
    const isComplete = (await this.#add(late, call)) && isAdded
    // Where an index cannot be written, the old entry stays, by which a listing finds the session all the same.
    if (isComplete && before.stamp !== now.stamp && before.stamp !== '') {
      const old = memberOf(sessionId, before)
      this.#index.leave((isInside ? late.map(({ key }) => key) : keys).map(key => ({ key, member: old })))
    }
    this.#index.leave(written.filter(key => !keys.includes(key)).map(key => ({ key, member })))
  }

  #add(entries: readonly Placed[], call: Call): Promise<boolean> {
    if (entries.length === 0) return Promise.resolve(true)
    return this.#index.add(entries, call).then(
      () => true,
      () => false,
    )
  }

  // ---- Whole sessions.

  async save(session: SessionRecord, { ifRevision }: Condition, call: Call): Promise<number> {
    const { sessionId, workspaceId } = session
    const encoded = encodeSave(session)
    const stamp = newStamp(this.#connection.serverTime(call.deadline))
    const updated = { time: timeKey(session.updatedAt), stamp }
    const created = { time: timeKey(session.createdAt), stamp }
    const entries = [
      ...this.#entries('updated', workspaceId, sessionId, updated),
      ...this.#entries('created', workspaceId, sessionId, created),
    ]
    // First of all: a session that no index has would be found by nobody.
    await beforeWriting(this.#index.add(entries, call))
    const reply = await this.#sendSave(sessionId, encoded, [
      this.#ttl,
      workspaceField(workspaceId),
      ifRevision ?? '',
      newToken(),
      encodeFrame({ ...session, turnCount: 0, agentTransitionCount: 0 }),
      JSON.stringify(session.metadata),
      JSON.stringify(session.updatedAt),
      updated.time,
      stamp,
      created.time,
      stamp,
    ], call)
    const refusal = refusalOf(sessionId, reply)
    const written = refusal === null ? readWritten(reply) : null
    if (written === null) {
      this.#index.leave(entries)
      if (refusal !== null) throw refusal
      if (reply[0] === 'exists') throw sessionExists(sessionId)
      if (reply[0] === 'conflict') throw revisionConflict(sessionId, ifRevision ?? 0, Number(reply[1]))
      throw storeBusy(sessionId)
    }
    this.#workspaces.set(sessionId, workspaceId)
    if (written.before.stamp !== '') {
      const [time = '', stampBefore = ''] = reply.slice(9)
      this.#index.leave([
        ...this.#entries('updated', workspaceId, sessionId, written.before),
        ...this.#entries('created', workspaceId, sessionId, { time, stamp: stampBefore }),
      ])
    }
    return written.revision
  }

  async #sendSave(sessionId: string, save: EncodedSave, args: Args, call: Call): Promise<string[]> {
    const keys = this.#keyspace.session(sessionId)
    const { turns, transitions, ids } = save
    const counts = [turns.length, transitions.length]
    if (save.items <= PART.items && save.bytes <= PART.bytes) {
      return this.#connection.operate('save', keys, [...args, ...counts, ids.length, ...turns, ...transitions, ...ids.flat()], call)
    }
    const backoff = new Backoff(call.deadline - performance.now())
    for (;;) {
      const token = newToken()
      const staged = this.#keyspace.staged(sessionId, token)
      if (await beforeWriting(this.#stage(staged, save, call, token))) {
        const reply = await this.#connection.operate('save', [...keys, ...staged], [...args, ...counts], call, token)
        if (reply[0] !== 'unstaged') return reply
      }
      if (!(await backoff.wait())) return ['unstaged']
    }
  }

  /** Brings a long session to the server part by part; false where a part was lost on the way. */
  async #stage(keys: readonly string[], save: EncodedSave, call: Call, token: string): Promise<boolean> {
    const stay = Math.ceil(call.deadline - performance.now()) + 60_000
    for (const { turns, transitions, ids, firstTurn, firstTransition } of save.parts(PART)) {
      const reply = await this.#connection.operate(
        'stage',
        keys,
        [stay, firstTurn, firstTransition, turns.length, transitions.length, ids.length, ...turns, ...transitions, ...ids.flat()],
        call,
        token,
      )
      if (reply[0] !== 'ok') return false
    }
    return true
  }

  async remove(sessionId: string, scope: Scope, call: Call): Promise<boolean> {
    const reply = await this.#connection.operate('delete', this.#keyspace.session(sessionId), [scopeField(scope)], call)
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    const [status, workspace = '', ...stamps] = reply
    if (status !== 'ok') return false
    const [updatedTime = '', updatedStamp = '', createdTime = '', createdStamp = ''] = stamps
    const workspaceId = workspaceOf(workspace)
    this.#workspaces.delete(sessionId)
    this.#index.leave([
      ...this.#entries('updated', workspaceId, sessionId, { time: updatedTime, stamp: updatedStamp }),
      ...this.#entries('created', workspaceId, sessionId, { time: createdTime, stamp: createdStamp }),
    ])
    return true
  }

  #entries(order: IndexOrder, workspaceId: string | null, sessionId: string, place: Stamped): Placed[] {
    const member = memberOf(sessionId, place)
    return this.#keyspace.indexesOf(order, workspaceId).map(key => ({ key, member }))
  }
}

/** Whether a change only appends, each id once, so that the script can tell what is new. */
function isAppend(change: NormalChange): boolean {
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

/** Where an id is there twice, the first is meant, so only that one is given its field. */
function transitionRows(transitions: readonly AgentTransitionRecord[]): string[][] {
  const known = new Set<string>()
  return transitions.map(transition => {
    const field = transitionField(transition.transitionId)
    const isFirst = !known.has(field)
    known.add(field)
    return [isFirst ? field : '', JSON.stringify(encodeTransition(transition))]
  })
}

/** A list as `apply` reads it: behind its length. */
function list(rows: readonly (readonly (string | number)[])[]): Args {
  return [rows.length, ...rows.flat()]
}

/** What `apply` and `save` reply where they wrote; null otherwise. */
function readWritten(reply: readonly string[]): Written | null {
  const [status, revision, turnCount, , workspace = '', time = '', stamp = '', timeBefore = '', stampBefore = ''] = reply
  if (status !== 'ok') return null
  return {
    revision: Number(revision),
    turnCount: Number(turnCount),
    workspaceId: workspaceOf(workspace),
    now: { time, stamp },
    before: { time: timeBefore, stamp: stampBefore },
  }
}

/** One append, as the script takes it. */
function appendArgs({ change, condition }: WaitingAppend, time: string): Args {
  const { appendTurns, appendAgentTransitions } = change
  return [
    scopeField(condition.scope),
    condition.ifRevision ?? '',
    JSON.stringify(change.updatedAt),
    time,
    appendTurns.length,
    appendAgentTransitions.length,
    ...appendTurns.flatMap(turn => [turnField(turn.turnId), JSON.stringify(encodeTurn(turn))]),
    ...appendAgentTransitions.flatMap(transition => [
      transitionField(transition.transitionId),
      JSON.stringify(encodeTransition(transition)),
    ]),
  ]
}

/** What the script says of one append. */
function appendOutcome({ appendTurns }: NormalChange, text: string): AppendOutcome {
  const [status, revision, turnCount, repeated = ''] = text.split('\u001f')
  if (status === 'missing') return 'missing'
  if (status !== 'ok' && status !== 'same') return 'decide'
  const places = repeated === '' ? [] : repeated.split(',').map(Number)
  return {
    revision: Number(revision),
    turnCount: Number(turnCount),
    deduplicated: places.flatMap(place => appendTurns[place]?.turnId ?? []),
  }
}
