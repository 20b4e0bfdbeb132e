import type { Call, ServerConnection } from '../server/server-connection.js'

/** An entry, and the index that it belongs to. */
export interface PlacedEntry {
  readonly key: string
  readonly member: string
}

/** Entries are removed with the next write, or after this many milliseconds. */
const REMOVE_AFTER_MS = 25

/** The most entries that one command removes. */
const MOST_REMOVALS = 200

/** Writes index entries: an addition is awaited, and removals happen in the background. */
export class IndexWriter {
  readonly #connection: ServerConnection
  /** The entries to remove, by index. */
  readonly #obsolete = new Map<string, string[]>()
  #timer: NodeJS.Timeout | null = null
  #removing: Promise<void> = Promise.resolve()

  constructor(connection: ServerConnection) {
    this.#connection = connection
  }

  /** Resolves when the entries are in the indexes. */
  async add(entries: readonly PlacedEntry[], call: Call): Promise<void> {
    await this.#send(
      entries.map(({ key, member }) => ({
        key,
        add: [member],
        remove: this.#obsolete.get(key)?.splice(0, MOST_REMOVALS) ?? [],
      })),
      call,
    )
  }

  /** Removes entries soon. If that fails, a listing removes them later. */
  remove(entries: readonly PlacedEntry[]): void {
    if (entries.length === 0) return
    for (const { key, member } of entries) {
      const obsolete = this.#obsolete.get(key)
      if (obsolete === undefined) this.#obsolete.set(key, [member])
      else obsolete.push(member)
    }
    this.#timer ??= setTimeout(() => this.#sweep(), REMOVE_AFTER_MS).unref()
  }

  /** Resolves when all removals have been tried. */
  async flush(): Promise<void> {
    this.#sweep()
    await this.#removing
  }

  #sweep(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const updates = [...this.#obsolete].flatMap(([key, obsolete]) =>
      obsolete.length === 0 ? [] : [{ key, add: [], remove: obsolete }],
    )
    this.#obsolete.clear()
    if (updates.length === 0) return
    const sent = this.#send(updates, { deadline: this.#connection.deadline() }).catch(() => undefined)
    this.#removing = Promise.all([this.#removing, sent]).then(() => undefined)
  }

  async #send(
    updates: readonly { key: string; add: readonly string[]; remove: readonly string[] }[],
    { deadline }: Call,
  ): Promise<void> {
    // On a Cluster, each index is in a slot of its own.
    const calls = this.#connection.spreadsKeys ? updates.map(update => [update]) : [updates]
    await Promise.all(
      calls.map(group =>
        this.#connection.run(
          'index',
          group.map(({ key }) => key),
          group.flatMap(({ add, remove }) => [add.length, remove.length, ...add, ...remove]),
          // Without the session: a key that is not an index does not make it corrupt.
          { deadline },
        ),
      ),
    )
  }
}
