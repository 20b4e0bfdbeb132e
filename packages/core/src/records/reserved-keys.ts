/** Where stores without a better place keep a turn's items in its metadata. */
export const ITEMS_KEY = 'turnstore.items'

/** Where they keep what a session remembers by idempotency key. */
export const KEYS_KEY = 'turnstore.keys'

/** Callers may use neither, in metadata or in `extra`. */
export const RESERVED_KEYS: readonly string[] = [ITEMS_KEY, KEYS_KEY]
