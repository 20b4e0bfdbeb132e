import { encodeTurn } from '../../packages/core/dist/adapter.js'
import { interleave, median, report } from './timing.mjs'
import { append, fill } from './turns.mjs'

/*
 * What is measured alike of several stores.
 */

export async function measureCallers(name, store) {
  await fill(store, 'callers', 0)
  const together = () => Promise.all(Array.from({ length: 64 }, () => append(store, 'callers')))
  const times = await interleave({ one: () => append(store, 'callers'), together }, 100)
  const ratio = median(times.one) / (median(times.together) / 64)
  console.log(`${`${name}, 64 callers`.padEnd(24)} a turn costs ${ratio.toFixed(1)} times less than one by one`)
}

export async function measureTail(name, store, sessions) {
  const [longest] = Object.values(sessions)
  const { turns } = await store.readTurns(longest, { last: 20 })
  const texts = turns.map(each => JSON.stringify(encodeTurn(each))) // as they are stored
  const reads = Object.entries(sessions).map(([title, id]) => [title, () => store.readTurns(id, { last: 20 })])
  const works = { 'parsing them': async () => texts.map(text => JSON.parse(text)), ...Object.fromEntries(reads) }
  report(`${name}, tail of 20`, await interleave(works, 200), 'parsing them')
}

export async function measureLoad(name, store) {
  await fill(store, 'thousand', 1000)
  const whole = JSON.stringify(await store.loadSession('thousand'))
  const works = { 'parsing it': async () => JSON.parse(whole), load: () => store.loadSession('thousand') }
  report(`${name}, load 1,000 turns`, await interleave(works, 60), 'parsing it')
}
