import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/**
 * The two secrets of a run. The token opens everything. It is in the URL that the command prints; the page moves it to
 * the storage of its origin, and sends it with each call. The page key opens the files of the page alone: browsers send
 * a cookie to every port of a host, so any other server on this machine may see it.
 */
export interface Keys {
  readonly token: string
  readonly pageKey: string
}

export function newKeys(): Keys {
  return { token: randomBytes(32).toString('base64url'), pageKey: randomBytes(32).toString('base64url') }
}

/** In constant time. */
export function isKey(given: string | undefined, key: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(key))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** With the port, or two inspectors in one browser would overwrite each other's cookie. */
export function cookieName(port: number): string {
  return `turnstore-inspect-${port}`
}

export function cookieIn(header: string | undefined, name: string): string | undefined {
  const prefix = `${name}=`
  return header
    ?.split(';')
    .map(pair => pair.trim())
    .find(pair => pair.startsWith(prefix))
    ?.slice(prefix.length)
}
