import type { ChangeResult, Limits, SessionRecord } from '@turnstore/core'
import {
  Backoff,
  type ChangeCondition,
  type CheckedChange,
  checkRevision,
  type Condition,
  type Deletion,
  nextRevision,
  ofSession,
  outOfReach,
  planChange,
  planCreation,
  resultOf,
  type Scope,
} from '@turnstore/core/adapter'
import { sessionColumns, type Statement } from '@turnstore/core/adapter/sql'
import type { Database } from '../server/database.js'
import { storeBusy, unsettled } from '../server/postgres-errors.js'
import { createSession, deleteSession, replaceSession, writer } from '../tables/operations.js'
import type { Statements } from '../tables/statements.js'
import { lookUp } from './change-view.js'
import { plainWriteOf } from './plain-write.js'
import type { SessionReader } from './session-reader.js'
import { callWrite, type Expected, NO_SESSION, type WriteResult } from './write-call.js'
import { type QueuedWrite, WriteQueue } from './write-queue.js'

/** The attempts of one write. Each looks again, since another writer was faster. */
interface Attempts {
  readonly deadline: number
  /** Whether it may have been written before. Then a difference may be its own. */
  readonly wasLost: boolean
  /** Whether the whole session was read: a store does not damage it later. */
  isChecked: boolean
}

/**
 * Writes sessions. Plain changes are one statement. The others look at the session, decide, and write if it is unchanged:
 * two statements.
 */
export class SessionWriter {
  readonly #database: Database
  readonly #statements: Statements
  readonly #reader: SessionReader
  readonly #limits: Limits
  readonly #queue: WriteQueue

  constructor(database: Database, statements: Statements, reader: SessionReader, limits: Limits, timeoutMs: number) {
    this.#database = database
    this.#statements = statements
    this.#reader = reader
    this.#limits = limits
    this.#queue = new WriteQueue(database, statements, timeoutMs)
  }

  change(sessionId: string, change: CheckedChange, condition: ChangeCondition): Promise<ChangeResult> {
    const write = plainWriteOf(change, condition, this.#limits.turnBytes)
    const plain = write && {
      ...write,
      resultOf: (state: { revision: number; turnCount: number }): ChangeResult => ({ ...state, deduplicated: [] }),
    }
    return this.#add(sessionId, condition.scope, plain, attempts =>
      this.#change(sessionId, change, condition, attempts),
    )
  }

  save(session: SessionRecord, condition: Condition): Promise<number> {
    const { sessionId, workspaceId } = session
    return this.#add(sessionId, workspaceId, null, attempts => this.#save(session, condition, attempts))
  }

  remove(sessionId: string, deletion: Deletion): Promise<boolean> {
    return this.#add(sessionId, deletion.scope, null, attempts => this.#remove(sessionId, deletion, attempts))
  }

  /** @param attempt resolves to null if another writer was faster */
  #add<T>(
    sessionId: string,
    scope: Scope,
    plain: QueuedWrite<T>['plain'],
    attempt: (attempts: Attempts) => Promise<T | null>,
  ): Promise<T> {
    const run = async (deadline: number, wasLost: boolean): Promise<T> => {
      const attempts = { deadline, wasLost, isChecked: false }
      const backoff = new Backoff(deadline - performance.now())
      for (;;) {
        const result = await attempt(attempts)
        if (result !== null) return result
        if (!(await backoff.wait())) throw storeBusy(sessionId)
      }
    }
    return this.#queue.add(sessionId, { scope, plain, run })
  }

  async #change(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
    attempts: Attempts,
  ): Promise<ChangeResult | null> {
    const { scope, creation } = condition
    const { deadline, wasLost } = attempts
    const found = await lookUp(this.#database, this.#statements, sessionId, change, condition, deadline)
    if (found === null || found === 'elsewhere') {
      // It was deleted since, with or without this change.
      if (wasLost) throw unsettled(sessionId)
      const exists = found === 'elsewhere'
      if (creation === undefined || exists) throw outOfReach(sessionId, condition, exists)
      const { session, result, remember } = planCreation(sessionId, creation, change, condition, this.#limits)
      const key = remember === undefined ? [] : writer.remembered(null, remember)
      const isWritten = await this.#create(session, session.revision, key, deadline)
      return isWritten ? result : null
    }
    const plan = ofSession(sessionId, () => planChange(found.view, change, condition, this.#limits))
    if (plan.changed && wasLost) throw unsettled(sessionId)
    const statements = writer.planned(plan, found.planned, update => found.updated(update))
    if (statements.length === 0) return resultOf(plan)
    if (plan.keepTurns !== undefined && !attempts.isChecked) {
      await this.#reader.whole(sessionId, scope, deadline)
      attempts.isChecked = true
    }
    const isWritten = await this.#write(sessionId, scope, found.expected, statements, deadline)
    return isWritten === null ? null : resultOf(plan)
  }

  async #save(session: SessionRecord, condition: Condition, { deadline }: Attempts): Promise<number | null> {
    const { sessionId, workspaceId } = session
    const current = await this.#reader.whole(sessionId, workspaceId, deadline)
    // Perhaps another workspace has it, which the caller learns first.
    const elsewhere = current === null && condition.ifRevision ? await this.#reader.find(sessionId, deadline) : null
    const revision = nextRevision(session, current?.session ?? elsewhere, condition)
    if (current === null) {
      if ((await this.#create(session, revision, [], deadline)) !== null) return revision
      nextRevision(session, await this.#reader.find(sessionId, deadline), { ...condition, ifRevision: undefined })
      return null
    }
    const expected = { id: current.id, revision: condition.ifRevision ?? null }
    const statements = [
      ...writer.cleared(null, current.session.turns.length),
      replaceSession(sessionColumns(session, revision)),
      ...writer.content(null, session),
    ]
    const written = await this.#write(sessionId, workspaceId, expected, statements, deadline)
    return written?.states[0]?.revision ?? null
  }

  async #remove(sessionId: string, deletion: Deletion, { deadline }: Attempts): Promise<boolean | null> {
    const { scope, ifRevision, evenIfDamaged } = deletion
    const found = evenIfDamaged
      ? await this.#reader.find(sessionId, deadline, scope)
      : await this.#reader.whole(sessionId, scope, deadline)
    if (found === null) return false
    checkRevision(sessionId, ifRevision, 'session' in found ? found.session.revision : found.revision)
    const expected = { id: found.id, revision: ifRevision ?? null }
    const written = await this.#write(sessionId, scope, expected, [deleteSession], deadline)
    return written === null ? null : true
  }

  #create(
    session: SessionRecord,
    revision: number,
    others: readonly Statement[],
    deadline: number,
  ): Promise<WriteResult | null> {
    const { sessionId, workspaceId } = session
    const columns = createSession(sessionColumns(session, revision))
    const statements = [columns, ...writer.content(null, session), ...others]
    return this.#write(sessionId, workspaceId, NO_SESSION, statements, deadline)
  }

  /** Null if the session is not what was expected, and nothing is written. */
  async #write(
    sessionId: string,
    scope: Scope,
    expected: Expected,
    statements: readonly Statement[],
    deadline: number,
  ): Promise<WriteResult | null> {
    const session = { id: sessionId, scope, expected }
    const result = await callWrite(this.#database, this.#statements, session, statements, deadline)
    if (result.word === 'ok' || result.word === 'known') return result
    if (result.mayBeDone) throw unsettled(sessionId)
    return null
  }
}
