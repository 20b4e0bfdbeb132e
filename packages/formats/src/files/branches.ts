/** An entry of a tree of messages. */
export interface Node<Value> {
  readonly id: string
  readonly parent: string | null
  /** Null for a root without a message. */
  readonly value: Value | null
}

export interface Branch<Value> {
  /** The id of its last entry. */
  readonly leaf: string
  readonly values: readonly Value[]
}

/** The ways from the root to each leaf, the current one first. Each is a conversation that somebody had. */
export function branchesOf<Value>(nodes: readonly Node<Value>[], current: string | null): Branch<Value>[] {
  const byId = new Map(nodes.map(node => [node.id, node]))
  const parents = new Set(nodes.map(({ parent }) => parent))
  const leaves = nodes.filter(({ id }) => id !== current && !parents.has(id)).map(({ id }) => id)
  const main = current !== null && byId.has(current) ? current : leaves.pop()
  if (main === undefined) return []
  const [first, ...others] = [main, ...leaves].map(leaf => ({ leaf, values: wayTo(leaf, byId) }))
  return first === undefined ? [] : [first, ...others.filter(({ values }) => values.length > 0)]
}

function wayTo<Value>(leaf: string, byId: ReadonlyMap<string, Node<Value>>): Value[] {
  const values: Value[] = []
  const seen = new Set<string>()
  for (let node = byId.get(leaf); node !== undefined && !seen.has(node.id); node = byId.get(node.parent ?? '')) {
    seen.add(node.id)
    if (node.value !== null) values.push(node.value)
  }
  return values.toReversed()
}
