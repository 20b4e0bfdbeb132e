import { randomUUID } from 'node:crypto'
import type { Scope } from '@turnstore/core/adapter'
import { type Statement, text } from '@turnstore/core/adapter/sql'
import type { Database } from '../server/database.js'
import { operationsOf } from '../tables/operations.js'
import type { Statements } from '../tables/statements.js'
import { scopeValues } from './session-reader.js'

/** What the function `write` returned: see `functions.ts`. */
export interface WriteResult {
  readonly word: 'ok' | 'known' | 'stale' | 'none'
  /** The session after each operation that may be skipped. Null: it was. Of a known write, after the last one alone. */
  readonly states: readonly (State | null)[]
  /** Of a known write: none of its operations was skipped. If it is stale: it was never carried out. */
  readonly isWhole: boolean
  /** If nothing was written now: whether an earlier attempt of the same write may have been carried out. */
  readonly mayBeDone: boolean
}

export interface State {
  readonly revision: number
  readonly turnCount: number
}

/** The session that a write expects. */
export interface Expected {
  /** Null: any; '0': none. */
  readonly id: string | null
  readonly revision: number | null
}

export const ANY_SESSION: Expected = { id: null, revision: null }
export const NO_SESSION: Expected = { id: '0', revision: null }

/** How much of its time a statement waits for locks, so that a session that is locked is told from a lost answer. */
const LOCK_SHARE = 0.8

/** Runs statements on a session, in one statement of the database. */
export async function callWrite(
  database: Database,
  { write }: Statements,
  session: { readonly id: string; readonly scope: Scope; readonly expected: Expected },
  statements: readonly Statement[],
  deadline: number,
): Promise<WriteResult> {
  const { names, values } = operationsOf(statements)
  const { id, revision } = session.expected
  const lockMs = Math.max(1, Math.floor((deadline - performance.now()) * LOCK_SHARE))
  const token = randomUUID().slice(-12)
  const { rows, wasLost } = await database.write(
    write,
    [session.id, ...scopeValues(session.scope), id, revision, token, `${lockMs}`, names, values],
    deadline,
  )
  const told = text(rows[0] ?? {}, 'result')
  const isWhole = !told.endsWith('!')
  const [word = '', ...states] = (isWhole ? told : told.slice(0, -1)).split(' ')
  const result = { word: wordOf(word), states: states.map(stateOf), isWhole }
  return { ...result, mayBeDone: wasLost && !isSurelyUndone(result) }
}

/** Whether a write would have found itself, if it had been carried out. */
function isSurelyUndone({ word, isWhole }: Pick<WriteResult, 'word' | 'isWhole'>): boolean {
  return word === 'ok' || (word === 'stale' && isWhole)
}

function wordOf(word: string): WriteResult['word'] {
  if (word === 'ok' || word === 'known' || word === 'stale' || word === 'none') return word
  throw new TypeError('the function write returned something else')
}

function stateOf(state: string): State | null {
  const [revision, turnCount] = state.split(':')
  return turnCount === undefined ? null : { revision: Number(revision), turnCount: Number(turnCount) }
}
