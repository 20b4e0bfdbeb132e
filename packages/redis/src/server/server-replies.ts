/** What INFO says, by name. */
export function parseInfo(info: unknown): Map<string, string> {
  const lines = typeof info === 'string' ? info.split('\r\n') : []
  return new Map(lines.flatMap(line => (line.includes(':') ? [splitAt(line, line.indexOf(':'))] : [])))
}

function splitAt(line: string, at: number): [string, string] {
  return [line.slice(0, at), line.slice(at + 1)]
}

/** CONFIG GET gives a list of names and values, or a map where the client asks for maps. */
export function pairsOf(reply: unknown): [string, string][] {
  const pairs: [string, string][] = []
  if (Array.isArray(reply)) {
    for (let index = 0; index + 1 < reply.length; index += 2)
      pairs.push([String(reply[index]), String(reply[index + 1])])
  } else if (typeof reply === 'object' && reply !== null) {
    for (const [name, value] of Object.entries(reply)) pairs.push([name, String(value)])
  }
  return pairs
}

/** What CLIENT INFO says of the connection that asks, by name. */
export function parseClientInfo(info: unknown): Map<string, string> {
  const words = typeof info === 'string' ? info.trim().split(' ') : []
  return new Map(words.flatMap(word => (word.includes('=') ? [splitAt(word, word.indexOf('='))] : [])))
}
