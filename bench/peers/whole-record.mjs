import { many, wireTurn } from '../turns.mjs'

/** A session in a store of keys and values, as its users have it: read the whole, add the turn, write the whole. */
export function wholeRecord({ get, set, close }) {
  return {
    fill: (id, count) => set(id, { session_id: id, turns: many(count, wireTurn) }),
    async append(id) {
      const record = await get(id)
      record.turns.push(wireTurn())
      await set(id, record)
    },
    count: async id => (await get(id)).turns.length,
    close,
  }
}
