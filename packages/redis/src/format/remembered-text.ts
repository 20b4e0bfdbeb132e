import { decodeRemembered, encodeRemembered, type RememberedChange } from '@turnstore/core/adapter'
import { objectOf } from './session-head.js'
import { decodePart } from './stored-records.js'

/** What a script needs to remember a change: all but the revision and the turn count, which it adds. */
export function encodeRemembering({ key, digest, result }: RememberedChange): string {
  const { revision: _revision, turn_count: _turnCount, ...others } = encodeRemembered({ key, digest, result })
  return JSON.stringify(others)
}

/** @throws `CORRUPT_SESSION` */
export function decodeRememberedText(sessionId: string, text: string): RememberedChange {
  return decodePart(sessionId, 'a remembered change', text, source => decodeRemembered(objectOf(source)))
}
