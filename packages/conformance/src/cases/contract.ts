/** The parts of the contract, as failures name them. */
export const contract = {
  stored: 'promise 1, acknowledged is stored',
  noLostUpdate: 'promise 2, no lost update',
  revisions: 'promise 3, revisions',
  retry: 'promise 4, safe to retry',
  atomic: 'promise 5, all or nothing',
  copies: 'promise 6, your objects are yours',
  scope: 'promise 7, scope',
  deleted: 'promise 8, a deleted session stays deleted',
  damage: 'promise 9, damage is reported, never deepened',
  settles: 'promise 10, it settles',
  discretion: 'promise 11, discretion',
  models: 'the models',
  ids: 'the rules for ids',
  values: 'the rules for values',
  methods: 'the methods of a store',
  change: 'the change',
  queries: 'the queries',
  search: 'the search',
  watch: 'the watch',
  capabilities: 'the declared capabilities',
  manager: 'the session manager',
} as const

export type Clause = keyof typeof contract

const PROMISE = /^promise (?<number>\d+), (?<title>.*)$/

/** The number of a promise in `docs/guarantees.md`; null for other parts of the contract. */
export function promiseOf(clause: Clause): number | null {
  const number = PROMISE.exec(contract[clause])?.groups?.number
  return number === undefined ? null : Number(number)
}

/** All promises by number. */
export function promises(): { number: number; title: string }[] {
  return Object.values(contract).flatMap(text => {
    const { number, title } = PROMISE.exec(text)?.groups ?? {}
    return number === undefined || title === undefined ? [] : [{ number: Number(number), title }]
  })
}
