import type { SessionHistoryTransactionArgs } from '@openai/agents-core'
import { isTurnstoreError, type JsonObject, TurnstoreError } from '@turnstore/core'
import { checkMembers } from '@turnstore/core/adapter'
import { encodeItem } from '../items/item-json.js'

export interface Transaction {
  readonly operationId: string
  readonly type: 'append_items' | 'replace_suffix'
  readonly removed: JsonObject[]
  readonly added: JsonObject[]
}

/**
 * Reads each member once, since an accessor may give another value the next time.
 * @throws `INVALID_ARGUMENT`, which does not quote what an accessor throws; `INVALID_RECORD` for an item
 */
export function readTransaction(args: SessionHistoryTransactionArgs): Transaction {
  try {
    checkMembers(args, 'transaction', ['operationId', 'transaction'])
    const { operationId, transaction: given } = args
    const transaction = { ...given }
    const isAppend = transaction.type === 'append_items'
    const members = isAppend ? ['type', 'items'] : ['type', 'expectedSuffix', 'replacement']
    checkMembers(given, 'transaction.transaction', members)
    if (operationId.trim() === '') throw new TurnstoreError('INVALID_ARGUMENT', 'operationId must not be empty')
    return {
      operationId,
      type: transaction.type,
      removed: (isAppend ? [] : transaction.expectedSuffix).map(encodeItem),
      added: (isAppend ? transaction.items : transaction.replacement).map(encodeItem),
    }
  } catch (error) {
    if (isTurnstoreError(error)) throw error
    throw new TurnstoreError('INVALID_ARGUMENT', 'transaction is not as the SDK gives it')
  }
}
