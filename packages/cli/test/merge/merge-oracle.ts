/*
 * What must hold for a record after any merge, member by member. Independent of how merges are implemented.
 */

/** Paths of members of a record that were lost or altered. Empty if nothing was. */
export function lostFrom(before: unknown, now: unknown, path = ''): string[] {
  if (before === null || before === undefined || before === '' || before === now) return []
  // The only value that may be replaced, and the members that stores set themselves.
  if (path.endsWith('.status') && before === 'running') return []
  if (path === '.revision' || path === '.updatedAt') return []
  if (Array.isArray(before)) return lostFromList(before, now, path)
  if (typeof before !== 'object') return [path]
  return Object.entries(before).flatMap(([key, value]) => lostFrom(value, memberOf(now, key), `${path}.${key}`))
}

/** Items must all be present in order, with anything in between. Each match counts once. */
function lostFromList(before: readonly unknown[], now: unknown, path: string): string[] {
  if (!Array.isArray(now)) return [path]
  const items: unknown[] = now
  let from = 0
  return before.flatMap((item, index) => {
    const place = items.findIndex((other, at) => at >= from && lostFrom(item, other, `${path}.${index}`).length === 0)
    if (place === -1) return [`${path}[${index}]`]
    from = place + 1
    return []
  })
}

/** The same for an incoming record: all of it must be present, in any order. */
export function missingFrom(incoming: unknown, now: unknown, path = ''): string[] {
  if (incoming === null || incoming === undefined || incoming === '' || incoming === now) return []
  if (path.endsWith('.status') && incoming === 'running') return []
  if (path === '.revision' || path === '.updatedAt') return []
  if (Array.isArray(incoming)) {
    const items: unknown[] = Array.isArray(now) ? now : []
    const rest = items.slice()
    return incoming.flatMap((item: unknown, index) => {
      const place = rest.findIndex(other => missingFrom(item, other, `${path}.${index}`).length === 0)
      if (place === -1) return [`${path}[${index}]`]
      rest.splice(place, 1)
      return []
    })
  }
  if (typeof incoming !== 'object') return [path]
  return Object.entries(incoming).flatMap(([key, value]) => missingFrom(value, memberOf(now, key), `${path}.${key}`))
}

function memberOf(object: unknown, key: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, key)
    ? Reflect.get(object, key)
    : undefined
}
