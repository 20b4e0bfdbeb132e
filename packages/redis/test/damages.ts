import type { Cluster, Redis } from 'ioredis'

type Damage = (client: Redis | Cluster, key: (kind: string) => string) => Promise<unknown>

const fields = ['v', 'g', 'r', 'w', 'n', 'm', 'ws', 'f', 'd', 'u', 'uk', 'us', 'ck', 'cs']

/** Invalid values for the fields of a head. A generation and a stamp may be any text. */
const broken: Readonly<Record<string, readonly string[]>> = {
  v: ['', 'x', '0'],
  r: ['', 'x', '-1', '1.5', '1e3'],
  w: ['', 'x', '0x10'],
  n: ['', '2', '4', 'x', '-3'],
  m: ['', '0', '2', 'x'],
  ws: ['', 'x', 'w', 'n', 'wother'],
  f: ['', '{', '{}', '[]', 'null', '{"session_id":"other"}'],
  d: ['', '{', '[]', '1'],
  u: ['', '"', '1', '"2000-01-01T00:00:00Z"'],
  uk: ['', 'x', '2000-01-01T00:00:00.000000Z'],
  ck: ['', 'x', '2000-01-01T00:00:00.000000Z'],
  e: ['', 'x', '-1'],
}

const kinds = { head: 's', turns: 't', ids: 'i', transitions: 'h' }

/**
 * Damage to each kind of data of a session, by name. Each makes the session unreadable. The session must have three
 * turns, a transition with an id, and a workspace.
 */
export const damages: ReadonlyMap<string, Damage> = new Map<string, Damage>([
  ...Object.entries(kinds).flatMap(([name, kind]): [string, Damage][] => [
    [`no ${name}`, (client, key) => client.del(key(kind))],
    [
      `${name} of another type`,
      async (client, key) => {
        await client.del(key(kind))
        await client.set(key(kind), 'x')
      },
    ],
  ]),
  ['no turns and no ids', (client, key) => client.del(key('t'), key('i'))],
  ['no head and no turns', (client, key) => client.del(key('s'), key('t'))],
  ['no head, only ids', (client, key) => client.del(key('s'), key('t'), key('h'))],
  ['no head, only a transition', (client, key) => client.del(key('s'), key('t'), key('i'))],
  ['no head, and no results', (client, key) => client.del(key('s'), key('o'))],
  ...fields.map((field): [string, Damage] => [
    `no ${field} in its head`,
    (client, key) => client.hdel(key('s'), field),
  ]),
  ...Object.entries(broken).flatMap(([field, values]) =>
    values.map((value): [string, Damage] => [
      `${field} of its head is ${JSON.stringify(value)}`,
      (client, key) => client.hset(key('s'), field, value),
    ]),
  ),
  ['the last turn is cut off', (client, key) => client.rpop(key('t'))],
  ['the first turn is cut off', (client, key) => client.lpop(key('t'))],
  ['a turn too many', (client, key) => client.rpush(key('t'), '{}')],
  ['a turn that is cut', (client, key) => client.lset(key('t'), 1, '{"turn_id":"t1","pro')],
  ['a turn that is empty', (client, key) => client.lset(key('t'), 0, '')],
  ['a turn of an invalid form', (client, key) => client.lset(key('t'), 2, '{"turn_id":5}')],
  ['the transition is cut', (client, key) => client.lset(key('h'), 0, '{"to_ag')],
  ['the transition of an invalid form', (client, key) => client.lset(key('h'), 0, '[]')],
  ['a transition too many', (client, key) => client.rpush(key('h'), '{}')],
  [
    'the id of a turn is missing',
    async (client, key) => client.hdel(key('i'), ...(await idsOf(client, key, 't')).slice(1, 2)),
  ],
  [
    'the id of the transition is missing',
    async (client, key) => client.hdel(key('i'), ...(await idsOf(client, key, 'h'))),
  ],
  ['an id too many', (client, key) => client.hset(key('i'), 'tnobody', '0')],
  [
    'the results of another type, and no turns',
    async (client, key) => {
      await client.del(key('o'), key('t'))
      await client.set(key('o'), 'x')
    },
  ],
])

async function idsOf(client: Redis | Cluster, key: (kind: string) => string, kind: string): Promise<string[]> {
  return (await client.hkeys(key('i'))).filter(field => field.startsWith(kind)).toSorted()
}
