import { isJsonValue, type JsonObject, type JsonValue, setMember } from './json.js'
import { asObject, type Members, MembersBase, type Shape, type What, wireKey } from './members.js'

/** @throws `INVALID_RECORD` */
export function wireMembers(source: unknown, what: What): Members {
  return new WireMembers(asObject(source, what), what)
}

class WireMembers extends MembersBase {
  readonly dialect = 'wire'
  readonly #members: Readonly<Record<string, unknown>>

  constructor(source: Readonly<Record<string, unknown>>, what: What) {
    super(source, what)
    this.#members = source
  }

  protected get(name: string): unknown {
    const value = this.#members[wireKey(name)]
    return value === null ? undefined : value
  }

  protected key(name: string): string {
    return wireKey(name)
  }

  protected item(source: unknown, what: What): Members {
    return wireMembers(source, what)
  }

  protected value(_name: string, value: unknown): JsonValue {
    return trusted(value)
  }

  extra(shape: Shape): { extra?: JsonObject } {
    let extra: JsonObject | undefined
    for (const key of Object.keys(this.source)) {
      if (shape.wireKeys.has(key)) continue
      extra ??= {}
      setMember(extra, key, trusted(this.#members[key]))
    }
    return extra === undefined ? {} : { extra }
  }
}

/** What JSON.parse gave is JSON; the compiler has no way to know. */
function trusted(value: unknown): JsonValue {
  return isJsonValue(value) ? value : null
}
