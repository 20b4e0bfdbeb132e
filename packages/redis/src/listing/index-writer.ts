import type { Call, ServerConnection } from '../server/server-connection.js'

/** An entry's member and the index that it belongs to. */
export interface Placed {
  readonly key: string
  readonly member: string
}

/** Entries that are left over are taken away with the next write, or after this many milliseconds. */
const LINGER_MS = 25

/** Most of them that one command takes away. */
const MOST_REMOVALS = 200

/** Writes entries. What has to be there is waited for; what may be there for a while is taken away beside. */
export class IndexWriter {
  readonly #connection: ServerConnection
  readonly #left = new Map<string, string[]>()
  #timer: NodeJS.Timeout | null = null
  #removing: Promise<void> = Promise.resolve()

  constructor(connection: ServerConnection) {
    this.#connection = connection
  }

  /** Resolves when the entries are in the indexes. */
  async add(entries: readonly Placed[], call: Call): Promise<void> {
    await this.#send(
      entries.map(({ key, member }) => ({
        key,
        add: [member],
        remove: this.#left.get(key)?.splice(0, MOST_REMOVALS) ?? [],
      })),
      call,
    )
  }

  /** Takes entries away, some time soon. One that stays is found by whoever reads the index. */
  leave(entries: readonly Placed[]): void {
    if (entries.length === 0) return
    for (const { key, member } of entries) {
      const left = this.#left.get(key)
      if (left === undefined) this.#left.set(key, [member])
      else left.push(member)
    }
    this.#timer ??= setTimeout(() => this.#sweep(), LINGER_MS).unref()
  }

  /** Resolves when nothing is left that could be taken away. */
  async flush(): Promise<void> {
    this.#sweep()
    await this.#removing
  }

  #sweep(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const updates = [...this.#left].flatMap(([key, left]) =>
      left.length === 0 ? [] : [{ key, add: [], remove: left }],
    )
    this.#left.clear()
    if (updates.length === 0) return
    const sent = this.#send(updates, { deadline: this.#connection.deadline() }).catch(() => undefined)
    this.#removing = Promise.all([this.#removing, sent]).then(() => undefined)
  }

  async #send(
    updates: readonly { key: string; add: readonly string[]; remove: readonly string[] }[],
    { deadline }: Call,
  ): Promise<void> {
    // The indexes are in slots of their own.
    const calls = this.#connection.spreadsKeys ? updates.map(update => [update]) : [updates]
    await Promise.all(
      calls.map(group =>
        this.#connection.run(
          'index',
          group.map(({ key }) => key),
          group.flatMap(({ add, remove }) => [add.length, remove.length, ...add, ...remove]),
          // Of no session: an index that is none is not its damage.
          { deadline },
        ),
      ),
    )
  }
}
