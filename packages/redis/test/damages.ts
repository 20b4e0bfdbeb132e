import type { Cluster, Redis } from 'ioredis'

type Client = Redis | Cluster
type KeyOf = (kind: string) => string
type Damage = (client: Client, key: KeyOf) => Promise<unknown>

/** The values of a state, in their order. */
const members = ['v', 'g', 'r', 'w', 'n', 'm', 'l', 'e', 'oe', 'on', 'ws', 'uk', 'us', 'u']

/** Invalid values in a state. A generation and a stamp may be any text. */
const brokenState: Readonly<Record<string, readonly string[]>> = {
  v: ['', 'x', '0'],
  r: ['', 'x', '-1', '1.5', '1e3'],
  w: ['', 'x', '0x10'],
  n: ['', '2', '4', 'x', '-3'],
  m: ['', '0', '2', 'x'],
  l: ['', 'x', '-1'],
  e: ['x', '-1'],
  oe: ['', 'x'],
  on: ['', 'x'],
  uk: ['', 'x', '2000-01-01T00:00:00.000000Z'],
  u: ['', '"', '1', '"2000-01-01T00:00:00Z"'],
  ws: ['', 'x', 'w', 'n', 'nx', 'wother'],
}

/** Invalid values of the other fields of a head. */
const brokenFields: Readonly<Record<string, readonly string[]>> = {
  c: ['', 'x', '1'],
  f: ['', '{', '{}', '[]', 'null', '{"session_id":"other"}'],
  d: ['', '{', '[]', '1'],
  ck: ['', 'x', '2000-01-01T00:00:00.000000Z'],
}

const kinds = { head: 's', turns: 't', ids: 'i', transitions: 'h' }

/** Damage to the parts of an open turn, which has a tool call `c` and two items. */
const ofParts: Readonly<Record<string, (client: Client, key: string, token: string) => Promise<unknown>>> = {
  'no parts': (client, key) => client.del(key),
  'parts of another type': (client, key) => toText(client, key),
  'no description of an open turn': (client, key, token) => client.hdel(key, token),
  'a description without a number': (client, key, token) => client.hset(key, token, '1 1 2 2 500'),
  'a description of more parts': (client, key, token) => client.hset(key, token, '2 2 2 2 500 0'),
  'a description of fewer parts': (client, key, token) => client.hset(key, token, '1 1 1 2 500 0'),
  'a tool call is missing': (client, key, token) => client.hdel(key, `${token}.c0`),
  'an item is cut': (client, key, token) => client.hset(key, `${token}.i0`, '{"item_id":"i"'),
  'an item is empty': (client, key, token) => client.hset(key, `${token}.i0`, ''),
  'a tool call of an invalid form': (client, key, token) => client.hset(key, `${token}.c0`, '{"call_id":5}'),
  'the id of a part is missing': (client, key, token) => client.hdel(key, `${token}.c:c`),
}

/** Damage to what a session remembers by idempotency key. */
const ofRemembered: Readonly<Record<string, (client: Client, key: string) => Promise<unknown>>> = {
  'remembered changes of another type': (client, key) => toText(client, key),
  'remembered changes without a number': (client, key) => client.hdel(key, '#'),
  'fewer remembered changes than their number': (client, key) => client.hset(key, '#', '2'),
  'a number of remembered changes that is none': (client, key) => client.hset(key, '#', 'x'),
}

/**
 * Damage to each kind of data of a session, by name. Each makes the session unreadable. The session must have three
 * turns, the second of them open, a transition with an id, a remembered change, and a workspace.
 */
export const damages: ReadonlyMap<string, Damage> = new Map<string, Damage>([
  ...Object.entries(kinds).flatMap(([name, kind]): [string, Damage][] => [
    [`no ${name}`, (client, key) => client.del(key(kind))],
    [`${name} of another type`, (client, key) => toText(client, key(kind))],
  ]),
  ['no turns and no ids', (client, key) => client.del(key('t'), key('i'))],
  ['no head and no turns', (client, key) => client.del(key('s'), key('t'))],
  ['no head, only ids', (client, key) => client.del(key('s'), key('t'), key('h'))],
  ['no head, only a transition', (client, key) => client.del(key('s'), key('t'), key('i'))],
  ['no head, and no results', (client, key) => client.del(key('s'), key('o'))],
  ...['c', 'f', 'd', 'ck', 'cs'].map((field): [string, Damage] => [
    `no ${field} in its head`,
    (client, key) => client.hdel(key('s'), field),
  ]),
  ...Object.entries(brokenFields).flatMap(([field, values]) =>
    values.map((value): [string, Damage] => [
      `${field} of its head is ${JSON.stringify(value)}`,
      (client, key) => client.hset(key('s'), field, value),
    ]),
  ),
  ...members.map((member, at): [string, Damage] => [
    `no ${member} in its state`,
    (client, key) => changeState(client, key, state => state.toSpliced(at, 1)),
  ]),
  ...Object.entries(brokenState).flatMap(([member, values]) =>
    values.map((value): [string, Damage] => [
      `${member} in its state is ${JSON.stringify(value)}`,
      (client, key) => changeState(client, key, state => state.with(members.indexOf(member), value)),
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
      await client.del(key('t'))
      await toText(client, key('o'))
    },
  ],
  ...Object.entries(ofParts).map(([name, damage]): [string, Damage] => [
    name,
    async (client, key) => damage(client, key('p'), await tokenIn(client, key)),
  ]),
  [
    'the token of an open turn is another',
    async (client, key) => client.lset(key('t'), 1, `x${await client.lindex(key('t'), 1)}`),
  ],
  ...Object.entries(ofRemembered).map(([name, damage]): [string, Damage] => [
    name,
    (client, key) => damage(client, key('k')),
  ]),
])

/** The token of the second turn. */
async function tokenIn(client: Client, key: KeyOf): Promise<string> {
  const [, token] = /^([\w-]+)\{/.exec((await client.lindex(key('t'), 1)) ?? '') ?? []
  if (token === undefined) throw new Error('the second turn is not open')
  return token
}

async function toText(client: Client, key: string): Promise<unknown> {
  await client.del(key)
  return client.set(key, 'x')
}

async function changeState(client: Client, key: KeyOf, change: (state: string[]) => string[]): Promise<unknown> {
  const state = ((await client.hget(key('s'), 'c')) ?? '').split('\u001f')
  return client.hset(key('s'), 'c', change(state).join('\u001f'))
}

async function idsOf(client: Client, key: KeyOf, kind: string): Promise<string[]> {
  return (await client.hkeys(key('i'))).filter(field => field.startsWith(kind)).toSorted()
}
