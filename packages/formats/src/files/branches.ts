/** An entry of a tree of messages. */
export interface Node<Value> {
  readonly id: string
  readonly parent: string | null
  /** Null for a root without a message. */
  readonly value: Value | null
}

export interface Branch<Value> {
  /** Its first entry that is on no earlier branch. A branch keeps it as it grows. */
  readonly start: string
  /** The start of the branch that it leaves. Null for the first. */
  readonly parent: string | null
  readonly values: readonly Value[]
  /** Whether the current entry is on it, and on none before. */
  readonly isCurrent: boolean
}

/**
 * The ways from a root to each leaf. Each is a conversation that somebody had. The first takes the oldest child at each
 * fork, so that it and all others stay what they are when the tree grows.
 *
 * @param nodes children of one parent in the order in which they were made
 */
export function branchesOf<Value>(nodes: readonly Node<Value>[], current: string | null): Branch<Value>[] {
  const byId = new Map(nodes.map(node => [node.id, node]))
  const children = Map.groupBy(nodes, ({ parent }) => (parent !== null && byId.has(parent) ? parent : null))
  const owners = new Map<string, string>()
  const branches: Omit<Branch<Value>, 'isCurrent'>[] = []
  const waiting = (children.get(null) ?? []).toReversed()
  for (let start = waiting.pop(); start !== undefined; start = waiting.pop()) {
    const own = [start]
    for (
      let [next, ...others] = children.get(start.id) ?? [];
      next !== undefined;
      [next, ...others] = children.get(next.id) ?? []
    ) {
      own.push(next)
      waiting.push(...others.toReversed())
    }
    const values = own.flatMap(({ value }) => (value === null ? [] : [value]))
    const parent = owners.get(start.parent ?? '') ?? branches[0]?.start ?? null
    // A branch without messages is the one that it leaves.
    const isBranch = parent === null || values.length > 0
    for (const { id } of own) owners.set(id, isBranch ? start.id : parent)
    if (isBranch) branches.push({ start: start.id, parent, values: [...wayTo(start.parent, byId), ...values] })
  }
  const owner = owners.get(current ?? '')
  return branches.map(branch => ({ ...branch, isCurrent: branch.start === owner }))
}

/** The values up to an entry. */
function wayTo<Value>(end: string | null, byId: ReadonlyMap<string, Node<Value>>): Value[] {
  const values: Value[] = []
  for (let node = byId.get(end ?? ''); node !== undefined; node = byId.get(node.parent ?? ''))
    if (node.value !== null) values.push(node.value)
  return values.toReversed()
}

/** The ids of the sessions of the branches. */
export function branchIds<Value>(
  id: string | null,
  { start, parent }: Branch<Value>,
  first: Branch<Value> | undefined,
): { sessionId: string | null; parentSessionId: string | null } {
  const idOf = (branch: string): string | null => (id === null || branch === first?.start ? id : `${id}:${branch}`)
  return { sessionId: idOf(start), parentSessionId: parent === null ? null : idOf(parent) }
}
