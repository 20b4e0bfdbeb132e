import type { JsonObject } from '@turnstore/core'

/** An item as the SDK stores it: ids of calls, which only the provider knows, are left out. */
export function asStored(item: JsonObject): JsonObject {
  const { type, id: _id, ...others } = item
  if (type !== 'function_call' && type !== 'function_call_result') return item
  return { type, ...others }
}
