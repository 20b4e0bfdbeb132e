import { TurnstoreError } from '../basics/errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../basics/json.js'
import { quote } from '../basics/text.js'
import { invalidRecord } from '../records/members.js'
import type { ChangeResult } from './change.js'
import type { Idempotency } from './change-options.js'

/** A change that a session remembers by its key, and what it returned. */
export interface RememberedChange extends Idempotency {
  readonly result: ChangeResult
}

/** How many changes with a key a session remembers: the last ones. */
export const REMEMBERED_CHANGES = 256

/** @throws `IDEMPOTENCY_KEY_CONFLICT` if it is another change */
export function checkSameChange(sessionId: string, known: RememberedChange, { key, digest }: Idempotency): void {
  if (known.digest === digest) return
  throw new TurnstoreError(
    'IDEMPOTENCY_KEY_CONFLICT',
    `Session ${sessionId} remembers another change under the key ${quote(key)}; give each change a key of its own`,
    { sessionId, outcome: 'not-stored' },
  )
}

/** For storage. {@link decodeRemembered} is its reverse. */
export function encodeRemembered({ key, digest, result }: RememberedChange): JsonObject {
  const { revision, turnCount, deduplicated, skipped, created } = result
  return {
    key,
    digest,
    revision,
    turn_count: turnCount,
    ...(deduplicated.length === 0 ? {} : { deduplicated }),
    ...(skipped === undefined ? {} : { skipped }),
    ...(created === undefined ? {} : { created }),
  }
}

/** @throws `INVALID_RECORD` */
export function decodeRemembered(source: JsonValue, what = 'remembered change'): RememberedChange {
  if (!isJsonObject(source)) throw invalidRecord(what, 'must be an object')
  const { key, digest, revision, turn_count: turnCount, deduplicated = [], skipped, created } = source
  if (typeof key !== 'string' || typeof digest !== 'string') throw invalidRecord(what, 'has no key or no digest')
  if (!isCount(revision) || !isCount(turnCount)) throw invalidRecord(what, 'has no revision or no turn count')
  return {
    key,
    digest,
    result: {
      revision,
      turnCount,
      deduplicated: texts(deduplicated, what),
      ...(skipped === undefined ? {} : { skipped: texts(skipped, what) }),
      ...(created === true ? { created } : {}),
    },
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function texts(value: JsonValue, what: string): string[] {
  if (!Array.isArray(value)) throw invalidRecord(what, 'has ids that are not an array')
  return value.map(text => (typeof text === 'string' ? text : invalid(what)))
}

function invalid(what: string): never {
  throw invalidRecord(what, 'has an id that is not a string')
}
