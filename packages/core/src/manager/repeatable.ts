import { checkMembers } from '../basics/arguments.js'
import { digestOf } from '../basics/digest.js'
import { checkId } from '../basics/ids.js'
import { SizeBudget } from '../basics/json.js'
import type { ChangeOptions } from '../changes/change-options.js'
import { copyInput } from '../records/input-members.js'
import { hardLimits } from '../records/limits.js'

/** The last options of a method that changes a session. */
export interface RepeatOptions {
  /**
   * Makes the call safe to repeat: the same call with the same key is carried out once, and returns the first result
   * again. Another call with this key fails with `IDEMPOTENCY_KEY_CONFLICT`. A session remembers its last 256 keys.
   */
  idempotencyKey?: string
}

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function checkRepeatOptions(options: RepeatOptions, others: readonly string[] = []): void {
  checkMembers(options, 'options', ['idempotencyKey', ...others])
  if (options.idempotencyKey !== undefined) checkId(options.idempotencyKey, 'options.idempotencyKey')
}

/**
 * The options of a change that may have a key. Compared is what the caller passed, since the ids and times that the
 * manager fills in differ each time.
 * @throws `INVALID_RECORD`
 */
export function repeatable(method: string, { idempotencyKey }: RepeatOptions, ...given: unknown[]): ChangeOptions {
  if (idempotencyKey === undefined) return {}
  const limits = { ...hardLimits, jsonDepth: hardLimits.jsonDepth + RECORD_DEPTH }
  const compared = given.map(each => copyInput(each, method, limits, new SizeBudget(Infinity)))
  return { idempotencyKey, idempotencyDigest: digestOf([method, ...compared]) }
}

/** The id of a record without one: derived from the key, so that it is the same each time. */
export function idFor(what: string, { idempotencyKey }: RepeatOptions, newId: () => string): string {
  return idempotencyKey === undefined ? newId() : digestOf([what, idempotencyKey])
}

/** How deep in an argument the deepest value of a record is: `turn.toolCalls[0].result`. */
const RECORD_DEPTH = 4
