import type { TurnstoreError } from '@turnstore/core'

/** Messages of stores speak of the library's options and methods. Here they speak of those of the command. */
const words: readonly (readonly [theirs: RegExp, ours: string])[] = [
  [/\b(?:options\.)?timeoutMs\b/g, '--timeout'],
  [/\b(?:options\.)?limits\.(\w+)/g, '--limits $1'],
  [/\brun checkIntegrity\(\)/g, 'run turnstore check'],
  [/; open a new store\b/g, '; run the command again'],
  [/; set username and password\b/g, '; write them in the URL before the host, as USER:PASSWORD@'],
  [/; a client of one server cannot use a Cluster, set nodes instead/g, '; use a redis-cluster:// URL'],
]

const TOO_LARGE = /\b(?:is larger than|would exceed) \d+ bytes of JSON$|\bis nested deeper than \d+$/

export function inOwnWords({ message, outcome, cause }: TurnstoreError): string {
  const text = words.reduce((said, [theirs, ours]) => said.replace(theirs, ours), message)
  // Without an outcome, the limit is not one of the store.
  const isOfStore = outcome !== undefined && TOO_LARGE.test(message)
  const advice = isOfStore ? 'a store may have wider limits: see --limits' : adviceOn(cause)
  return advice === undefined ? text : `${text}; ${advice}`
}

const adviceByCode: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'the disk is full: free some space'],
  ['EDQUOT', 'your quota of the disk is used up: free some space'],
  ['EROFS', 'make the disk writable or use another'],
  ['EACCES', 'check who may write there'],
  ['EPERM', 'check who may write there'],
])

/** The cause of a failed write of the file store has the name and the code of the system's error as its message. */
function adviceOn(cause: unknown): string | undefined {
  return cause instanceof Error ? adviceByCode.get(cause.message.split(' ').at(-1) ?? '') : undefined
}
