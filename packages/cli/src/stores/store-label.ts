import { isTurnstoreError, TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'

/** A store for messages: its scheme and its place, without a user name or a password. */
export function labelOf(url: string): string {
  const { scheme, rest } = partsOf(url)
  // A password may contain any character, so what is before the last @ is left out.
  if (rest.startsWith('//'))
    return `${scheme}://${rest.slice(Math.max(2, rest.lastIndexOf('@') + 1)).replace(/[?#].*/, '')}`
  return scheme === 'file' || scheme === 'sqlite' ? quote(url) : `the ${scheme}: store`
}

export function isNetwork(url: string): boolean {
  return /^(?:rediss?(?:-cluster)?|postgres(?:ql)?)$/.test(partsOf(url).scheme)
}

/** Names the server that cannot be used, and adds what the scheme of the URL may have to do with it. */
export function withAdvice(error: unknown, url: string): unknown {
  if (!isTurnstoreError(error, 'STORE_UNAVAILABLE')) return error
  if (!isNetwork(url)) return error
  const advice = isRefusal(error.cause) ? undefined : adviceByScheme[partsOf(url).scheme]
  const { code, message, outcome, cause } = error
  const told = `${labelOf(url)}: ${message}${advice === undefined ? '' : `; ${advice}`}`
  return new TurnstoreError(code, told, { cause, ...(outcome === undefined ? {} : { outcome }) })
}

const adviceByScheme: Readonly<Record<string, string>> = {
  rediss: 'if this port has no TLS, use redis://',
  'redis-cluster': 'if this is one server and no Cluster, use redis://',
}

/** Whether the server has answered. Then the connection is not at fault. */
function isRefusal(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' && /^(?:NOAUTH|WRONGPASS|NOPERM|LOADING|OOM|BUSY|MISCONF|READONLY)$/.test(code)
}

function partsOf(url: string): { scheme: string; rest: string } {
  const colon = url.indexOf(':')
  return { scheme: url.slice(0, colon).toLowerCase(), rest: url.slice(colon + 1) }
}
