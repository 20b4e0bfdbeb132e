import { digestOf } from '../basics/digest.js'
import { isValidId } from '../basics/ids.js'
import type { PartList, ToolCallRecord, TurnItem } from './models.js'

/**
 * The id of a part that has none, in a turn that is appended: the same again on a retry. A digest if the turn's id is so
 * long that this would not be a valid id.
 */
export function partIdOf(list: PartList, turnId: string, index: number): string {
  const id = list === 'items' ? `${turnId}:item:${index}` : `${turnId}:${index}`
  return isValidId(id) ? id : digestOf([list, turnId, index])
}

export function idOfPart(part: ToolCallRecord | TurnItem): string {
  return 'callId' in part ? part.callId : part.itemId
}
