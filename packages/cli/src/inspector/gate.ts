import type { IncomingMessage } from 'node:http'
import { cookieIn, cookieName, isKey, type Keys } from './keys.js'
import { forbidden } from './refusal.js'

/**
 * Refuses what does not come from this page: another Host (a foreign name that resolves to this machine), another Origin,
 * or no token.
 * @throws {Refusal}
 */
export function checkAccess({ headers }: IncomingMessage, url: URL, port: number, keys: Keys): void {
  const { host, origin } = headers
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`) throw forbidden('Wrong host')
  if (origin !== undefined && origin !== `http://${host}`) throw forbidden('Wrong origin')
  if (!hasKey(headers, url, port, keys)) {
    throw forbidden('No token, or that of an earlier run. Open the URL that turnstore inspect printed.')
  }
}

function hasKey(headers: IncomingMessage['headers'], url: URL, port: number, keys: Keys): boolean {
  const { authorization, cookie } = headers
  if (authorization?.startsWith('Bearer ') === true && isKey(authorization.slice('Bearer '.length), keys.token)) {
    return true
  }
  if (isCall(url)) return false
  return hasToken(url, keys) || isKey(cookieIn(cookie, cookieName(port)), keys.pageKey)
}

/** Whether the request is for data, not for a file of the page. */
export function isCall(url: URL): boolean {
  return url.pathname.startsWith('/api/')
}

/** Whether this is the URL that the command printed. */
export function hasToken(url: URL, keys: Keys): boolean {
  return url.pathname === '/' && isKey(url.searchParams.get('token') ?? undefined, keys.token)
}
