import { isIPv6 } from 'node:net'
import { invalid } from './redis-errors.js'

/** The parts of a URL of one server. */
interface ServerUrl {
  readonly host: string
  readonly port: number
  readonly username?: string
  readonly password?: string
  readonly db?: number
  readonly isTls: boolean
}

/** The parts of a URL of a Cluster. */
interface ClusterUrl {
  readonly nodes: { readonly host: string; readonly port: number }[]
  readonly username?: string
  readonly password?: string
}

/** More databases than any server has. */
export const LAST_DATABASE: number = 2 ** 31 - 1

const DEFAULT_PORT = 6379

const FORM = 'A Redis URL is redis://, rediss:// or redis-cluster:// and a host, as in redis://localhost:6379/0'

/**
 * Neither `URL`, which drops line ends and dots, nor ioredis, which reads options from the query: a part that is not
 * understood must be refused.
 */
const PARTS = /^(redis|rediss|redis-cluster):\/\/(?:([^\s/?#]*)@)?([^\s/?#@]+)(?:\/([^?#]*))?([?#].*)?$/is

/** @throws `INVALID_ARGUMENT`; no message repeats the URL, which may hold a password */
export function readUrl(url: string): ServerUrl | ClusterUrl {
  const [, scheme = '', userinfo, hosts = '', path = '', rest = ''] = PARTS.exec(url) ?? []
  if (scheme === '') throw invalid(FORM)
  if (rest !== '') {
    throw invalid(
      `A Redis URL takes nothing after ${rest.startsWith('?') ? 'a question mark' : 'a number sign'}; pass other settings as options, and write ? and # in a password as %3F and %23`,
    )
  }
  const name = scheme.toLowerCase()
  const credentials = readCredentials(userinfo)
  const db = readDatabase(path)
  if (name === 'redis-cluster') {
    if (db !== undefined && db !== 0) throw invalid('A Cluster has only database 0; leave the database out of its URL')
    return { nodes: hosts.split(',').map(host => readAddress(host)), ...credentials }
  }
  return { ...readAddress(hosts), ...credentials, ...(db !== undefined && { db }), isTls: name === 'rediss' }
}

/** @throws `INVALID_ARGUMENT` for anything but `host` or `host:port` */
export function readAddress(text: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([\p{L}\p{N}._~-]+))(?::(\d{1,5}))?$/u.exec(text) ?? []
  const host = bracketed ?? plain
  const number = port === undefined ? DEFAULT_PORT : Number(port)
  if (host === undefined || (bracketed !== undefined && !isIPv6(bracketed)) || number < 1 || number > 65_535) {
    throw invalid(
      `${FORM}; the host is a name or an IP address, and the port a number from 1 to 65535; several hosts, separated by commas, need redis-cluster://`,
    )
  }
  return { host, port: number }
}

function readCredentials(userinfo: string | undefined): { username?: string; password?: string } {
  if (userinfo === undefined) return {}
  const [username = '', password = ''] = userinfo.split(/:(.*)/s).map(decode)
  return { ...(username !== '' && { username }), ...((username !== '' || password !== '') && { password }) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('The username or password in the URL is not percent-encoded correctly')
  }
}

function readDatabase(path: string): number | undefined {
  if (path === '') return undefined
  const db = /^(?:0|[1-9]\d{0,9})$/.test(path) ? Number(path) : Infinity
  if (db > LAST_DATABASE) {
    throw invalid('The path of a Redis URL is the number of a database, as in redis://localhost:6379/3')
  }
  return db
}
