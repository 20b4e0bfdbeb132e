import type { Scope } from '@turnstore/core/adapter'

/** The keys of one session, in the order in which scripts take them. One hash tag puts them into one slot. */
export type SessionKeys = readonly [head: string, turns: string, ids: string, transitions: string, operations: string]

export type IndexOrder = 'updated' | 'created'

/** How many indexes an order and a scope are spread over. Recorded in the keyspace, so that it can grow. */
export const SHARDS = 1

/**
 * Names of keys, as docs/redis.md describes them. The first `{` ends the prefix, so no two prefixes share
 * a key, and what follows it is the id of a session or, as `{}`, nobody's.
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
    return [`${tag}s`, `${tag}t`, `${tag}i`, `${tag}h`, `${tag}o`]
  }

  /** Where a long save is put together: turns, ids, transitions. */
  staged(sessionId: string, token: string): readonly [string, string, string] {
    const tag = `${this.#tag(sessionId)}new:${token}:`
    return [`${tag}t`, `${tag}i`, `${tag}h`]
  }

  /** The index of a scope; `{}` makes no hash tag, so that the indexes are spread over the slots. */
  index(order: IndexOrder, scope: Scope): string {
    const whose = scope === undefined ? 'all' : scope === null ? 'none' : `in:${scope}`
    return `${this.#prefix}{}${order}:${SHARDS - 1}:${whose}`
  }

  /** The two indexes of an order that a session stands in. */
  indexesOf(order: IndexOrder, workspaceId: string | null): readonly string[] {
    return [this.index(order, undefined), this.index(order, workspaceId)]
  }

  /** No id closes the tag early, and no two ids have the same. */
  #tag(sessionId: string): string {
    return `${this.#prefix}{${sessionId.replace(/[%{}]/g, sign => encodeURIComponent(sign))}}`
  }
}

/** A workspace as heads and scripts have it. */
export function workspaceField(workspaceId: string | null): string {
  return workspaceId === null ? 'n' : `w${workspaceId}`
}

export function workspaceOf(field: string): string | null {
  return field === 'n' ? null : field.slice(1)
}

/** What a script compares the workspace with. */
export function scopeField(scope: Scope): string {
  return scope === undefined ? '*' : workspaceField(scope)
}

/** Old files may hold an id with a lone surrogate, which UTF-8 would lose; JSON escapes it, and keeps ids apart. */
function idField(kind: 't' | 'h', id: string): string {
  return kind + JSON.stringify(id).slice(1, -1)
}

/** The field of a turn's id among the ids of a session. */
export function turnField(turnId: string): string {
  return idField('t', turnId)
}

/** That of a transition; empty for one without an id. */
export function transitionField(transitionId: string | null): string {
  return transitionId === null ? '' : idField('h', transitionId)
}
