import { TurnstoreError } from '@turnstore/core'
import { inMemory } from '../mutant.ts'

/** Ids that collide, that reach each other's data, or that a store does not take. */
export const ids = inMemory('ids', {
  'takes ids that differ by case for one': [
    'a file system or a collation that folds case',
    { keyOf: id => id.toLowerCase() },
  ],
  'takes ids that differ by their normal form for one': [
    'a file system that normalises',
    { keyOf: id => id.normalize('NFC') },
  ],
  'takes ids that look alike for one': ['a collation that folds compatibility', { keyOf: id => id.normalize('NFKC') }],
  'decodes ids': ['decodeURIComponent on the way in', { keyOf: decoded }],
  'takes blanks off ids': ['a column of type CHAR', { keyOf: id => id.trim() || id }],
  'takes dots at the end off ids': ['Windows does', { keyOf: id => id.replace(/\.+$/, '') || id }],
  'takes a suffix for its own': [
    '`${id}:turns` beside `${id}`',
    { keyOf: id => id.replace(/:(turns|messages)$/, '') || id },
  ],
  'makes a path of ids': [
    'path.join',
    { keyOf: id => new URL(`file:///base/${encodeURI(id).replaceAll('%5C', '/')}`).pathname },
  ],
  'replaces what is unsafe in ids': ['a file name made safe', { keyOf: id => id.replaceAll(/[^\w.-]/g, '_') }],
  'takes the extension off ids': ["basename(path, '.json')", { keyOf: id => id.replace(/\.json$/, '') || id }],
  'cuts ids at 100': ['VARCHAR(100)', { keyOf: id => id.slice(0, 100) }],
  'cuts ids at 199 bytes': ['a buffer with its NUL', { keyOf: id => id.slice(0, 199) }],
  'takes what stands in braces for the id': ['a hash tag', { keyOf: id => /\{(.+?)\}/.exec(id)?.[1] ?? id }],
  'reads ids as numbers': [
    'a driver that guesses types',
    { keyOf: id => (/^-?\d+$/.test(id) ? String(Number(id)) : id) },
  ],
  'keeps ids on a plain object': [
    'an object for a map',
    { load: async (next, id, scope) => (id in {} ? null : next(id, scope)) },
  ],
  'takes ids for patterns': [
    'LIKE in place of =',
    {
      async remove(next, id, scope) {
        for (const other of this.memory.map.keys()) {
          if (/[%*]/.test(id) && other !== id && like(id, other)) await next(other, scope)
        }
        return next(id, scope)
      },
    },
  ],
  'takes the ids of turns for patterns': [
    'JSON paths built from ids',
    {
      async readTurns(next, id, range, scope) {
        const turn =
          range.kind === 'turnId'
            ? this.kept(id)?.turns.findLast(({ turnId }) => like(range.turnId, turnId))
            : undefined
        return next(id, turn === undefined ? range : { kind: 'turnId', turnId: turn.turnId }, scope)
      },
    },
  ],
  'hides ids that begin with a dot from lists': [
    'hidden files',
    { list: async (next, scope) => (await next(scope)).filter(id => !id.startsWith('.')) },
  ],
  'lists workspaces by prefix': [
    'a scan of `${workspace}:*`',
    {
      list: async function (next, scope) {
        if (typeof scope !== 'string') return next(scope)
        return [...this.memory.map.values()]
          .filter(({ session }) => session.workspaceId?.startsWith(scope))
          .map(({ session }) => session.sessionId)
      },
    },
  ],
  'joins workspace and id by a colon': [
    'one key for both',
    {
      async load(next, id, scope) {
        const found = await next(id, scope)
        if (found !== null || typeof scope !== 'string' || !id.includes(':')) return found
        return next(id.slice(id.indexOf(':') + 1), scope)
      },
      save(next, session, token) {
        const key = `${session.workspaceId ?? ''}:${session.sessionId}`
        for (const { session: other } of this.memory.map.values()) {
          if (other.sessionId !== session.sessionId && `${other.workspaceId ?? ''}:${other.sessionId}` === key) {
            this.memory.map.delete(other.sessionId)
          }
        }
        return next(session, token)
      },
    },
  ],
  'refuses ids that are valid': [
    'a check of its own, stricter than the contract',
    {
      load: (next, id, scope) =>
        id.includes('/') ? Promise.reject(new TurnstoreError('INVALID_ID', 'no slash in ids')) : next(id, scope),
    },
  ],
  'takes any id': [
    'no check at all',
    {
      around: (next, method, args) =>
        method === 'loadSession' ? next(valid(args[0]), ...args.slice(1)) : next(...args),
    },
  ],
  'takes ids with a NUL': [
    'a check that looks for newlines alone',
    {
      around: (next, method, args) =>
        next(...args.map(arg => (method === 'deleteSession' && arg === 'a\0b' ? 'other' : arg))),
    },
  ],
  'takes ids of 201 bytes': [
    'a limit counted in characters',
    {
      around: (next, method, args) =>
        next(...args.map(arg => (method === 'loadSummary' && arg === 'é'.repeat(101) ? 'other' : arg))),
    },
  ],
  'finds tool calls by a plain object': [
    'an object for a map',
    {
      change: (next, id, change, on) =>
        next(
          id,
          {
            ...change,
            updateTurns: change.updateTurns.map(update => ({
              ...update,
              putToolCalls: update.putToolCalls.filter(({ call }) => !(call.callId in {})),
            })),
          },
          on,
        ),
    },
  ],
  'finds metadata by a path': [
    'a key with a dot is a path',
    {
      query: (next, query) =>
        next({ ...query, metadata: query.metadata.map(([key, value]) => [key.split(/[.:]/)[0] ?? '', value]) }),
    },
  ],
  'joins session and turn by a colon': [
    'one key for both',
    {
      async readTurns(next, id, range, scope) {
        if (range.kind !== 'turnId') return next(id, range, scope)
        const key = `${id}:${range.turnId}`
        for (const { session } of this.memory.map.values()) {
          const turn = session.turns.find(({ turnId }) => `${session.sessionId}:${turnId}` === key)
          const page = await next(id, range, scope)
          if (turn && page) return { ...page, turns: [structuredClone(turn)] }
        }
        return next(id, range, scope)
      },
    },
  ],
  'cuts the key of a turn at 255 bytes': [
    'one key for session and turn, in a column of type VARCHAR(255)',
    {
      change(next, id, change, on) {
        const key = (turnId: string) => `${id}/${turnId}`.slice(0, 255)
        const known = this.kept(id)?.turns ?? []
        const renamed = (turnId: string) => known.find(turn => key(turn.turnId) === key(turnId))?.turnId ?? turnId
        return next(
          id,
          { ...change, appendTurns: change.appendTurns.map(turn => ({ ...turn, turnId: renamed(turn.turnId) })) },
          on,
        )
      },
    },
  ],
  'cuts the key of a session in its workspace at 255 bytes': [
    'a file name of both',
    {
      async save(next, session, token) {
        const key = (workspaceId: string | null, sessionId: string) => `${workspaceId}.${sessionId}`.slice(0, 255)
        const mine = key(session.workspaceId, session.sessionId)
        for (const { session: other } of this.memory.map.values()) {
          if (other.sessionId !== session.sessionId && key(other.workspaceId, other.sessionId) === mine)
            this.memory.map.delete(other.sessionId)
        }
        return next(session, token)
      },
    },
  ],
  'takes hiragana and katakana for one': [
    'a collation that folds kana',
    { keyOf: id => id.replaceAll(/[\u30a1-\u30f6]/g, sign => String.fromCharCode(sign.charCodeAt(0) - 0x60)) },
  ],
  'takes turn ids whose signs are beyond U+FFFF for one': [
    'a collation that gives all of them one weight',
    {
      change(next, id, change, on) {
        const folded = (turnId: string): string => turnId.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '\u{10000}')
        const known = this.kept(id)?.turns ?? []
        const isTaken = (turnId: string): boolean =>
          /[\u{10000}-\u{10ffff}]/u.test(turnId) &&
          known.some(turn => turn.turnId !== turnId && folded(turn.turnId) === folded(turnId))
        return next(id, { ...change, appendTurns: change.appendTurns.filter(({ turnId }) => !isTaken(turnId)) }, on)
      },
    },
  ],
})

function decoded(id: string): string {
  try {
    return decodeURIComponent(id)
  } catch {
    return id
  }
}

function like(pattern: string, text: string): boolean {
  const source = pattern
    .replaceAll(/[\\^$+?.()|[\]{}]/g, String.raw`\$&`)
    .replaceAll(/[%*]/g, '.*')
    .replaceAll('_', '.')
  return new RegExp(`^${source}$`, 's').test(text)
}

function valid(id: unknown): unknown {
  return typeof id === 'string' && id.trim() !== '' && id.length <= 200
    ? id.replaceAll(/[\p{Cc}\p{Surrogate}]/gu, '') || 'x'
    : 'x'
}
