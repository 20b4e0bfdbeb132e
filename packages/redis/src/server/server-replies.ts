/** The lines of INFO, by name. */
export function parseInfo(info: unknown): Map<string, string> {
  return parseFields(info, '\r\n', ':')
}

/** The fields of CLIENT INFO, by name. */
export function parseClientInfo(info: unknown): Map<string, string> {
  return parseFields(info, ' ', '=')
}

function parseFields(reply: unknown, separator: string, sign: string): Map<string, string> {
  const parts = typeof reply === 'string' ? reply.trim().split(separator) : []
  return new Map(
    parts.flatMap((part): [string, string][] => {
      const at = part.indexOf(sign)
      return at === -1 ? [] : [[part.slice(0, at), part.slice(at + sign.length)]]
    }),
  )
}

/** The reply of CONFIG GET: an array of names and values, or a map if the client asks for maps. */
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
