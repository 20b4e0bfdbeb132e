import type { Scope } from '@turnstore/core/adapter'

/** The keys of a session, in the order of the scripts. They share a hash tag, so they are in one slot. */
type SessionKeys = readonly [
  head: string,
  turns: string,
  ids: string,
  transitions: string,
  operations: string,
  parts: string,
  remembered: string,
]

export type IndexOrder = 'updated' | 'created'

/** The number of indexes of an order and a scope. The format key records it, so that a later version can have more. */
export const SHARDS = 1

/**
 * The names of keys, as docs/redis.md describes them. The first `{` ends the prefix, so two prefixes never share a key.
 * After it comes the id of a session, or `}` for a key of no session.
 */
export class Keyspace {
  readonly #prefix: string

  /** @param prefix without braces */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  get format(): string {
    return `${this.#prefix}{}format`
  }

  session(sessionId: string): SessionKeys {
    const tag = this.#tag(sessionId)
    return [`${tag}s`, `${tag}t`, `${tag}i`, `${tag}h`, `${tag}o`, `${tag}p`, `${tag}k`]
  }

  /** The keys where a long save is staged: turns, ids, transitions, parts. */
  staged(sessionId: string, token: string): readonly string[] {
    const tag = `${this.#tag(sessionId)}new:${token}:`
    return [`${tag}t`, `${tag}i`, `${tag}h`, `${tag}p`]
  }

  /** The index of a scope. `{}` is not a hash tag, so the indexes are spread over the slots. */
  index(order: IndexOrder, scope: Scope): string {
    const whose = scope === undefined ? 'all' : scope === null ? 'none' : `in:${scope}`
    return `${this.#prefix}{}${order}:${SHARDS - 1}:${whose}`
  }

  /** The two indexes of an order that a session is in. */
  indexesOf(order: IndexOrder, workspaceId: string | null): readonly string[] {
    return [this.index(order, undefined), this.index(order, workspaceId)]
  }

  /** Escaped, so that no id closes the tag early and two ids never share a tag. */
  #tag(sessionId: string): string {
    return `${this.#prefix}{${sessionId.replace(/[%{}]/g, sign => encodeURIComponent(sign))}}`
  }
}

/** A workspace, as it is in heads and arguments of scripts. */
export function workspaceField(workspaceId: string | null): string {
  return workspaceId === null ? 'n' : `w${workspaceId}`
}

export function workspaceOf(field: string): string | null {
  return field === 'n' ? null : field.slice(1)
}

/** A scope, as scripts compare it with a workspace. */
export function scopeField(scope: Scope): string {
  return scope === undefined ? '*' : workspaceField(scope)
}

/** Imported ids may contain a lone surrogate, which UTF-8 would lose. JSON escapes it, so ids stay distinct. */
function idField(kind: 't' | 'h', id: string): string {
  return kind + JSON.stringify(id).slice(1, -1)
}

/** The field of a turn id in the hash of ids. */
export function turnField(turnId: string): string {
  return idField('t', turnId)
}

/** The field of an idempotency key among the remembered changes. '' for none. */
export function keyField(key: string | undefined): string {
  return key === undefined ? '' : `k${key}`
}

/** The field of a transition id. '' for a transition without an id. */
export function transitionField(transitionId: string | null): string {
  return transitionId === null ? '' : idField('h', transitionId)
}
