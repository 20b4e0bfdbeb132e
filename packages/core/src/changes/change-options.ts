import { readObject } from '../basics/arguments.js'
import { digestOf } from '../basics/digest.js'
import { TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import { copyJson, type JsonObject, setMember, SizeBudget } from '../basics/json.js'
import { type Condition, readCondition, scopeOf, type WriteOptions } from '../basics/scope.js'
import { hardLimits, type Limits } from '../records/limits.js'
import { readMetadataInput } from '../records/record-input.js'
import type { SessionChange } from './change.js'

/** A session that a change creates if it does not exist. */
export interface NewSessionInput {
  /** Default: the `workspaceId` of the call, or none. The two must not differ. */
  workspaceId?: string | null
  agentId?: string | null
  parentSessionId?: string | null
  metadata?: JsonObject
}

export interface ChangeOptions extends WriteOptions {
  /**
   * Makes the change safe to repeat, whatever it does. If the session remembers the key, the call returns the first
   * result again and writes nothing. A session remembers its last 256 changes with a key.
   */
  idempotencyKey?: string
  /** What the change is compared by if the key is known, instead of its content: any id that you derive from it. */
  idempotencyDigest?: string
  /**
   * Creates the session if it does not exist, and applies the change to it, in one step. The call then sees only
   * sessions in the workspace of the new one.
   */
  createIfMissing?: NewSessionInput
}

/** How a repeated change is recognized. */
export interface Idempotency {
  readonly key: string
  readonly digest: string
}

/** The checked options of a change, as hooks receive them. */
export interface ChangeCondition extends Condition {
  readonly idempotency: Idempotency | undefined
  /** What to create if the session does not exist. Its workspace is also the scope of the call. */
  readonly creation: NewSession | undefined
}

export interface NewSession {
  readonly workspaceId: string | null
  readonly agentId: string | null
  readonly parentSessionId: string | null
  readonly metadata: JsonObject
}

/**
 * @param change as the caller passed it, already checked
 * @throws `INVALID_ARGUMENT`, `INVALID_ID`, `INVALID_RECORD`
 */
export function readChangeOptions(options: unknown, change: SessionChange, limits: Limits): ChangeCondition {
  if (options === undefined) return noOptions
  const members = readObject(options, 'options', optionNames)
  const { idempotencyKey, idempotencyDigest, createIfMissing, ...others } = members
  const { ifRevision, scope } = readCondition(others)
  checkChangeRevision(ifRevision)
  const creation = createIfMissing === undefined ? undefined : readNewSession(createIfMissing, scope, limits)
  if (creation !== undefined && ifRevision !== undefined) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.ifRevision and options.createIfMissing exclude each other')
  }
  if (idempotencyKey === undefined && idempotencyDigest !== undefined) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.idempotencyDigest needs options.idempotencyKey')
  }
  return {
    ifRevision,
    scope: creation === undefined ? scope : creation.workspaceId,
    creation,
    idempotency:
      idempotencyKey === undefined
        ? undefined
        : {
            key: checkId(idempotencyKey, 'options.idempotencyKey'),
            digest:
              idempotencyDigest === undefined
                ? changeDigest(change, createIfMissing)
                : checkId(idempotencyDigest, 'options.idempotencyDigest'),
          },
  }
}

/** Refuses 0 ("must not exist"), because it is for saves. @throws `INVALID_ARGUMENT` */
export function checkChangeRevision(ifRevision: number | undefined): number | undefined {
  if (ifRevision !== undefined && !(Number.isSafeInteger(ifRevision) && ifRevision >= 1)) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.ifRevision of a change must be a whole number of at least 1')
  }
  return ifRevision
}

const noOptions: ChangeCondition = {
  ifRevision: undefined,
  scope: undefined,
  creation: undefined,
  idempotency: undefined,
}

const optionNames = ['workspaceId', 'ifRevision', 'idempotencyKey', 'idempotencyDigest', 'createIfMissing']
const newSessionNames = ['workspaceId', 'agentId', 'parentSessionId', 'metadata']

function readNewSession(source: unknown, scope: Condition['scope'], limits: Limits): NewSession {
  const what = 'options.createIfMissing'
  const members = readObject(source, what, newSessionNames)
  const { agentId = null, parentSessionId = null, metadata = {} } = members
  const own = scopeOf(members, what)
  if (own !== undefined && scope !== undefined && own !== scope) {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what}.workspaceId is not options.workspaceId`)
  }
  return {
    workspaceId: (scope === undefined ? own : scope) ?? null,
    agentId: agentId === null ? null : checkId(agentId, `${what}.agentId`),
    parentSessionId: parentSessionId === null ? null : checkId(parentSessionId, `${what}.parentSessionId`),
    metadata: readMetadataInput(metadata, limits, `${what}.metadata`),
  }
}

/** Of the change as it was passed, with what it creates, but without the time that each call has. */
function changeDigest(change: SessionChange, createIfMissing: unknown): string {
  const { updatedAt: _updatedAt, ...content } = change
  const compared: JsonObject = {}
  for (const [name, value] of Object.entries({ change: content, createIfMissing })) {
    if (value === undefined) continue
    setMember(compared, name, copyJson(value, hardLimits.jsonDepth + CHANGE_DEPTH, new SizeBudget(Infinity)))
  }
  return digestOf(compared)
}

/** How deep in a change the deepest value of a caller is: `change.updateTurns[0].putToolCalls[0].result`. */
const CHANGE_DEPTH = 8
