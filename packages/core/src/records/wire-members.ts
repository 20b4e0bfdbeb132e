import { isJsonValue, type JsonObject, type JsonValue, setMember } from '../basics/json.js'
import { asObject, type Members, MembersBase, type Name, type Shape, type Label } from './members.js'

/** @throws `INVALID_RECORD` */
export function wireMembers(source: unknown, what: Label): Members {
  return new WireMembers(asObject(source, what), what)
}

class WireMembers extends MembersBase {
  readonly dialect = 'wire'

  protected get(name: Name): unknown {
    const value = this.source[name.wire]
    return value === null ? undefined : value
  }

  protected key(name: Name): string {
    return name.wire
  }

  protected part<T>(source: unknown, what: Label, read: (item: Members) => T): T {
    return read(wireMembers(source, what))
  }

  protected value(_name: Name, value: unknown): JsonValue {
    return trusted(value)
  }

  extra(shape: Shape): { extra?: JsonObject } {
    let extra: JsonObject | undefined
    let index = 0
    const { foreign } = shape
    for (const key of Object.keys(this.source)) {
      // Fast path: most records have the known keys in order.
      if (key === shape.wireKeys[index++] || shape.wireKeys.includes(key)) {
        if (foreign === undefined || key !== foreign.key || foreign.isOurs(this.source[key])) continue
      }
      extra ??= {}
      setMember(extra, key, trusted(this.source[key]))
    }
    return extra === undefined ? {} : { extra }
  }
}

/** The value comes from JSON.parse, so it needs no check. */
function trusted(value: unknown): JsonValue {
  return isJsonValue(value) ? value : null
}
