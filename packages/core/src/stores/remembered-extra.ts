import { TurnstoreError } from '../basics/errors.js'
import type { JsonValue } from '../basics/json.js'
import {
  decodeRemembered,
  encodeRemembered,
  type RememberedChange,
  REMEMBERED_CHANGES,
} from '../changes/remembered-change.js'
import { KEYS_KEY } from '../records/reserved-keys.js'
import type { SessionRecord } from '../records/models.js'

/*
 * A store of whole documents keeps what a session remembers by key in the document, under a key that no caller sees.
 */

/** Takes the remembered changes out of a stored record. @throws `CORRUPT_SESSION` */
export function takeRemembered(stored: SessionRecord): { session: SessionRecord; remembered: RememberedChange[] } {
  const { [KEYS_KEY]: kept, ...others } = stored.extra ?? {}
  if (kept === undefined) return { session: stored, remembered: [] }
  const { extra: _extra, ...session } = stored
  return {
    session: Object.keys(others).length === 0 ? session : { ...session, extra: others },
    remembered: readRemembered(kept, stored.sessionId),
  }
}

function readRemembered(kept: JsonValue, sessionId: string): RememberedChange[] {
  try {
    if (Array.isArray(kept)) return kept.map(each => decodeRemembered(each))
  } catch {
    // Reported below, without what it quotes.
  }
  throw new TurnstoreError('CORRUPT_SESSION', `Session ${sessionId}: its ${KEYS_KEY} cannot be read`, { sessionId })
}

/** The record to store. */
export function withRemembered(session: SessionRecord, remembered: readonly RememberedChange[]): SessionRecord {
  if (remembered.length === 0) return session
  const kept = remembered.slice(-REMEMBERED_CHANGES).map(encodeRemembered)
  return { ...session, extra: { ...session.extra, [KEYS_KEY]: kept } }
}
