import { InMemorySessionStore } from '../../packages/memory/dist/index.js'
import { interleave, report } from './timing.mjs'
import { append, fill, turn } from './turns.mjs'

export async function measureMemory() {
  const store = new InMemorySessionStore()
  await fill(store, 'empty', 0)
  await fill(store, 'long', 10_000)
  const times = await interleave(
    {
      'structured copy of the turn': async () => structuredClone(turn()),
      'append at 0': () => append(store, 'empty'),
      'append at 10,000': () => append(store, 'long'),
    },
    2000,
  )
  report('memory, append', times, 'structured copy of the turn')
}
