import { type Capabilities, isTurnstoreError, type SessionRecord, TurnstoreError } from '@turnstore/core'
import {
  DocumentSessionStore,
  type StoreOptions,
  checkStoreOptions,
  damageOf,
  type Loaded,
  type Scope,
} from '@turnstore/core/adapter'
import type { Bucket, Version } from './bucket.js'
import { decode, encode } from './document.js'
import { idOf, keyOf, PREFIX } from './keys.js'

/**
 * Stores each session as an object in a bucket, for any number of processes and machines. Each write is conditional on
 * the version that was read. A change reads and writes the whole session.
 *
 * @example
 * const store = new BucketSessionStore(new HttpBucket('http://127.0.0.1:9000/agents'))
 * const manager = new SessionManager(store)
 */
export class BucketSessionStore extends DocumentSessionStore {
  // Such services acknowledge a PUT once the object is on the disks of several machines.
  readonly capabilities: Capabilities = {
    durability: 'power-loss',
    sharing: 'network',
    constantAppend: false,
    constantStep: false,
    search: 'scan',
  }
  readonly #bucket: Bucket
  /** Workspaces found by the last listing, by ETag. */
  #owners = new Map<string, Owner>()

  /** @throws `INVALID_ARGUMENT` */
  constructor(bucket: Bucket, options: StoreOptions = {}) {
    checkStoreOptions(options)
    super(options)
    this.#bucket = bucket
  }

  protected async _get(sessionId: string): Promise<Loaded | null> {
    const object = await this.#bucket.get(keyOf(sessionId))
    return object === null ? null : { session: decode(object.body, sessionId).session, token: object.etag }
  }

  protected async _put(session: SessionRecord, token: Version): Promise<boolean> {
    const key = keyOf(session.sessionId)
    const { write, body } = encode(session)
    return this.#settle({
      send: () => this.#bucket.put(key, body, token),
      // Never resend a creation: the session may have been created and deleted since, and would come back.
      again: token !== null,
      happened: async () => {
        const object = await this.#bucket.get(key)
        return object !== null && decode(object.body, session.sessionId).write === write
      },
    })
  }

  protected async _delete(sessionId: string, token: Version): Promise<boolean> {
    const send = () => this.#bucket.delete(keyOf(sessionId), token)
    // Without a condition, a resent delete could delete a new session. If the object is gone, the cause is unknown.
    return this.#settle({ send, again: token !== null, happened: async () => false })
  }

  protected async _ids(scope: Scope): Promise<string[]> {
    const objects: { id: string; etag: string }[] = []
    for await (const { key, etag } of this.#bucket.list(PREFIX)) {
      const id = idOf(key)
      if (id !== null) objects.push({ id, etag })
    }
    if (scope === undefined) return objects.map(({ id }) => id)
    // The workspace is in the session itself. An ETag always means the same content, so unchanged objects are read once.
    const owners = new Map<string, Owner>()
    for (let from = 0; from < objects.length; from += READ_AT_ONCE) {
      const batch = objects.slice(from, from + READ_AT_ONCE)
      await Promise.all(
        batch.map(async ({ id, etag }) => owners.set(etag, this.#owners.get(etag) ?? (await this.#ownerOf(id)))),
      )
    }
    this.#owners = owners
    // A damaged session may belong to any workspace: list it, so that loading it reports the damage.
    const isInside = (owner: Owner): boolean => owner === 'damaged' || (owner !== 'gone' && owner.workspaceId === scope)
    return objects.filter(({ etag }) => isInside(owners.get(etag) ?? 'gone')).map(({ id }) => id)
  }

  async #ownerOf(sessionId: string): Promise<Owner> {
    try {
      const loaded = await this._get(sessionId)
      return loaded === null ? 'gone' : { workspaceId: loaded.session.workspaceId }
    } catch (error) {
      if (damageOf(sessionId, error) !== null) return 'damaged'
      throw error
    }
  }

  /**
   * A conditional write whose response may get lost. The second attempt has the same condition, so at most one of the
   * two is applied. If the first one was, the second is refused, and `happened` recognizes the success.
   */
  async #settle({ send, again, happened }: ConditionalWrite): Promise<boolean> {
    try {
      return await send()
    } catch (error) {
      if (isTurnstoreError(error) && error.outcome === 'not-stored') throw error
    }
    if (again && (await send().catch(() => false))) return true
    if (await happened().catch(() => false)) return true
    throw new TurnstoreError('STORE_UNAVAILABLE', 'The bucket did not respond; check whether the write was stored', {
      outcome: 'unknown',
    })
  }
}

interface ConditionalWrite {
  send: () => Promise<boolean>
  again: boolean
  happened: () => Promise<boolean>
}

type Owner = { readonly workspaceId: string | null } | 'damaged' | 'gone'

const READ_AT_ONCE = 16
