import { readObject } from '../basics/arguments.js'
import { TurnstoreError } from '../basics/errors.js'
import { type ReadOptions, type Scope, scopeOf } from '../basics/scope.js'
import { readSignal, type Signal } from '../basics/signal.js'
import { fingerprint } from '../basics/text.js'
import type { LastTurn, SessionSummary } from '../records/models.js'

export interface WatchOptions extends ReadOptions {
  /** The `token` of a state that you have seen. Default: the watch begins with the present state. */
  since?: string
}

/** What a watch gives: the state of the session, or that it is gone. Then it ends. */
export type WatchedSession = (SessionState & { readonly deleted?: never }) | DeletedSession

/** The session is deleted, or was never there, or is not in the workspace. */
export type DeletedSession = { readonly deleted: true } & { readonly [Member in keyof SessionState]?: never }

/** A session at one moment. Read its turns and parts for the contents. */
export interface SessionState {
  /** Names this state of this session. A session that was deleted and made anew has another one. */
  readonly token: string
  readonly revision: number
  readonly turnCount: number
  readonly lastTurn: LastTurn | null
  readonly updatedAt: string
}

/** A session as a store looks at it for a watch. */
export interface Glimpse {
  readonly summary: SessionSummary
  /** Another one for each session that has ever had the id, as far as the store can tell. */
  readonly life: string
}

export interface CheckedWatch {
  readonly scope: Scope
  readonly since: string | undefined
  readonly signal: Signal | undefined
}

export const watchMembers: readonly string[] = ['workspaceId', 'signal', 'since']

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readWatch(options: unknown): CheckedWatch {
  const members = options === undefined ? {} : readObject(options, 'options', watchMembers)
  const { since } = members
  if (since !== undefined && typeof since !== 'string') {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.since must be the token of a state')
  }
  return { scope: scopeOf(members, 'options'), since, signal: readSignal(members.signal, 'options.signal') }
}

export function stateOf({ summary, life }: Glimpse): SessionState {
  const { revision, turnCount, lastTurn, updatedAt } = summary
  return { token: `${fingerprint(life)}-${revision}`, revision, turnCount, lastTurn, updatedAt }
}
