import { figure } from '../comparison.mjs'
import { append, fill, many, turn } from '../turns.mjs'

/*
 * What is measured alike of several stores.
 */

export const at = (count, who = 'append') => `${who} at ${count.toLocaleString('en-US')}`

export async function fillSizes(report, name, store, sizes) {
  for (const count of sizes) {
    report.progress(`${name}: writing a session of ${count.toLocaleString('en-US')} turns`)
    await fill(store, sessionOf(count), count)
  }
}

/** An append to each of those sessions. That at 0 has as many turns in the end as were added while it was measured. */
export function appendsTo(store, sizes) {
  return Object.fromEntries(sizes.map(count => [at(count), () => append(store, sessionOf(count))]))
}

/**
 * A peer's sessions, and an append to each; null for each where there is no peer. A peer whose cost grows with the
 * session has `shorten`, which makes one that has grown by a tenth what it was.
 */
export async function peerAppends(report, who, peer, sizes) {
  for (const count of peer === null ? [] : sizes) {
    report.progress(`${who}: writing a session of ${count.toLocaleString('en-US')} turns`)
    await peer.fill(sessionOf(count), count)
  }
  const appendTo = count => ({
    before: () => peer.shorten?.(sessionOf(count), count),
    run: () => peer.append(sessionOf(count)),
  })
  return Object.fromEntries(sizes.map(count => [at(count, who), peer && appendTo(count)]))
}

/**
 * 64 at once, by what each of them costs, against one by one: the append at 10,000 of `light`. So many turns are
 * heavy, and what a store tidies up behind them would slow single ones down beside them.
 */
export async function measureCallers(report, name, store, light, { atLeast } = {}) {
  const together = '64 at once, each'
  await store.saveSession({ sessionId: 'together', turns: many(10_000, turn) })
  return report.compare({
    title: `${name}, 64 callers on one session`,
    works: { [together]: () => Promise.all(many(64, () => append(store, 'together'))) },
    floor: figure(light, at(10_000)),
    each: { [together]: 64 },
    goals: atLeast === undefined ? {} : { [at(10_000)]: [{ of: together, atLeast }] },
    repetitions: 200,
  })
}

/** The last 20 turns of each of those sessions, against parsing their JSON. */
export async function measureTail(report, name, store, { sizes, atMost }) {
  const read = count => `last 20 of ${count.toLocaleString('en-US')}`
  const texts = (await store.readTurns(sessionOf(sizes[0]), { last: 20 })).turns.map(turn => JSON.stringify(turn))
  const reads = sizes.map(count => [read(count), () => store.readTurns(sessionOf(count), { last: 20 })])
  const near = atMost === undefined ? [] : [{ atMost }]
  const goals = sizes.map((count, index) => [read(count), index === 0 ? near : [...near, flat(read(sizes[0]))]])
  return report.compare({
    title: `${name}, tail`,
    works: { 'parsing 20 turns': async () => texts.map(text => JSON.parse(text)), ...Object.fromEntries(reads) },
    floor: 'parsing 20 turns',
    goals: Object.fromEntries(goals),
    repetitions: 400,
  })
}

/** All of a session of 1,000 turns, against parsing its JSON. */
export async function measureLoad(report, name, store, { atMost, peers = {} }) {
  await fill(store, 'loaded', 1000)
  const whole = JSON.stringify(await store.loadSession('loaded'))
  return report.compare({
    title: `${name}, full load`,
    works: { 'parsing 1,000 turns': async () => JSON.parse(whole), load: () => store.loadSession('loaded'), ...peers },
    floor: 'parsing 1,000 turns',
    goals: { load: [{ atMost }] },
    repetitions: 100,
    block: 5,
  })
}

/** What costs the same however long a session is: within 15%. */
export const flat = of => ({ of, atMost: 1.15 })

export const sessionOf = count => `n${count}`
