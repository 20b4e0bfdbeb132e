import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { FileSessionStore } from '../../packages/file/dist/index.js'
import { measureCallers, measureLoad, measureTail } from './shared.mjs'
import { interleave, median, report } from './timing.mjs'
import { append, fill, turn } from './turns.mjs'

const sync = promisify(fdatasync)

export async function measureFile(folder) {
  const path = join(folder, 'file')
  const store = new FileSessionStore(path)
  for (const count of [0, 10_000, 50_000]) await fill(store, `n${count}`, count)
  // What is folded meanwhile is over before the clock runs.
  await new Promise(resolve => setTimeout(resolve, 3000))
  const raw = openSync(join(folder, 'raw'), 'a')
  report(
    'file, append',
    await interleave(
      {
        'raw write + fdatasync': async () => {
          writeSync(raw, `${JSON.stringify(turn())}\n`)
          await sync(raw)
        },
        'append at 0': () => append(store, 'n0'),
        'append at 10,000': () => append(store, 'n10000'),
        'append at 50,000': () => append(store, 'n50000'),
      },
      400,
    ),
    'raw write + fdatasync',
  )
  closeSync(raw)

  await measureCallers('file', store)
  await measureTail('file', store, { 'at 10,000': 'n10000', 'at 50,000': 'n50000' })
  await measureLoad('file', store)
  await store.close()
  const cold = []
  for (let again = 0; again < 20; again++) {
    const fresh = new FileSessionStore(path)
    const start = performance.now()
    await fresh.loadSession('thousand')
    cold.push((performance.now() - start) * 1000)
    await fresh.close()
  }
  console.log(`${'file, load 1,000 turns'.padEnd(24)} ${'load by a fresh store'.padEnd(34)} ${''.padStart(9)}${`${median(cold).toFixed(0)} µs`.padStart(10)}`)
}
