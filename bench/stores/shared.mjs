import { figure } from '../comparison.mjs'
import { append, fill, many, now, turn } from '../turns.mjs'

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

/**
 * A step, which is a tool call put into a turn: in a turn that has at most a block of them, and in one of 2,000, beside
 * an append of as many bytes. And the last 20 of 2,000 parts.
 * @param atMost times that append
 */
export async function measureSteps(report, name, store, { atMost }) {
  report.progress(`${name}: writing a turn of 2,000 tool calls`)
  await store.saveSession({ sessionId: 'steps', turns: [{ turnId: 'full', status: 'running' }] })
  for (let done = 0; done < 2000; done += 200) await put(store, 'full', 200)
  const { size } = toolCall(TYPICAL)
  let empty = ''
  const newTurn = async () => {
    empty = turn().turnId
    const fresh = { turnId: empty, status: 'running' }
    await store.changeSession('steps', { keepTurns: 1, appendTurns: [fresh], updatedAt: now() })
  }
  const [among, append] = ['step in a turn of 2,000', 'append of as many bytes']
  const small = () => ({ turnId: turn().turnId, prompt: toolCall(TYPICAL).text, startedAt: '2026-01-01T00:00:00Z' })
  await store.saveSession({ sessionId: 'small turns' })
  await report.compare({
    title: `${name}, a step of ${size} bytes`,
    works: {
      [append]: () => store.changeSession('small turns', { appendTurns: [small()], updatedAt: now() }),
      'step in an empty turn': { before: newTurn, run: () => put(store, empty) },
      [among]: () => put(store, 'full'),
    },
    floor: append,
    goals: {
      [among]: [{ atMost }, { of: 'step in an empty turn', atMost: 1.3 }],
      'step in an empty turn': [{ atMost }],
    },
    repetitions: 1000,
  })
  const texts = (await store.readParts('steps', 'full', { list: 'toolCalls', last: 20 })).parts.map(JSON.stringify)
  await report.compare({
    title: `${name}, parts`,
    works: {
      'parsing 20 parts': async () => texts.map(text => JSON.parse(text)),
      'last 20 of 2,000 parts': () => store.readParts('steps', 'full', { list: 'toolCalls', last: 20 }),
      'heads of the last 2 turns': () => store.readTurns('steps', { last: 2 }, { parts: 'none' }),
    },
    floor: 'parsing 20 parts',
    repetitions: 400,
  })
}

/**
 * Ten thousand tool calls of 4 KB into one turn, each beside a raw write of as many bytes, in turns: by their means, and
 * whether the last thousand cost what the first did.
 */
export async function measureLongTurn(report, name, store, rawWrite) {
  const count = report.quick ? 1000 : 10_000
  await store.saveSession({ sessionId: 'long turn', turns: [{ turnId: 'full', status: 'running' }] })
  const times = { step: [], raw: [] }
  for (let done = 0; done < count; done += 20) {
    report.progress(`${name}: writing a turn of ${count.toLocaleString('en-US')} tool calls of 4 KB`)
    for (let again = 0; again < 20; again++) {
      const { call, text } = toolCall(4096)
      times.raw.push(await timed(() => rawWrite(text, call)))
    }
    for (let again = 0; again < 20; again++) {
      times.step.push(await timed(() => put(store, 'full', 1, { sessionId: 'long turn', bytes: 4096 })))
    }
  }
  const mean = all => all.reduce((sum, time) => sum + time, 0) / all.length
  const title = `${name}, ${count.toLocaleString('en-US')} steps of 4 KB in one turn`
  const ratio = mean(times.step) / mean(times.raw)
  report.remark({ title, work: 'all', seen: `${ratio.toFixed(2)}× raw`, goal: '≤ 2× raw', met: ratio <= 2 })
  const [first, last] = [times.step.slice(0, count / 10), times.step.slice(-count / 10)].map(mean)
  const growth = last / first
  const goal = { goal: '≤ 1.3× the first tenth', met: growth <= 1.3 }
  report.remark({ title, work: 'the last tenth', seen: `${growth.toFixed(2)}×`, ...goal })
}

async function timed(work) {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const TYPICAL = 700
let calls = 0

/** The next tool call, of about so many bytes of JSON. */
function toolCall(bytes) {
  calls++
  const text = (calls.toString(36) + ' lorem ipsum dolor sit amet'.repeat(bytes / 27 + 1)).slice(0, bytes - 180)
  return {
    call: { callId: `call-${calls}`, toolName: 'search', arguments: { n: calls }, result: text },
    text,
    size: bytes,
  }
}

function put(store, turnId, count = 1, { sessionId = 'steps', bytes = TYPICAL } = {}) {
  const putToolCalls = Array.from({ length: count }, () => toolCall(bytes).call)
  return store.changeSession(sessionId, { updateTurns: [{ turnId, putToolCalls }], updatedAt: now() })
}

/** What costs the same however long a session is: within 15%. */
export const flat = of => ({ of, atMost: 1.15 })

export const sessionOf = count => `n${count}`
