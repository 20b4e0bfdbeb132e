/*
 * Runs the group of each mutant that is named as an argument, until a case fails, and prints what that says. A
 * process of its own: what a wrong store leaves behind, a rejection that nobody handles, is none of the test's.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type GroupName, sessionStoreSuite } from '@turnstore/conformance'
import { mutantOf } from './all.ts'
import { type Mutant, openMutant } from './mutant.ts'
import { FileRows } from './rows.ts'

/** What became of a mutant; `failed` is the sentence of the case that caught it. */
export interface Catch {
  readonly fault: string
  readonly failed: string | null
  readonly message: string
  readonly ms: number
}

const random: readonly GroupName[] = ['model', 'concurrency', 'deleting', 'processes', 'crash', 'search']

process.on('unhandledRejection', () => {})
// Some log what they should not, which must not come between the answers.
const say = process.stdout.write.bind(process.stdout)
process.stdout.write = process.stderr.write.bind(process.stderr)

export async function tryToCatch(mutant: Mutant, groups: readonly GroupName[] = [mutant.caughtBy]): Promise<Catch> {
  const cases: [sentence: string, body: () => Promise<void>][] = []
  const it = Object.assign((sentence: string, body: () => Promise<void>) => cases.push([sentence, body]), {
    skip: () => {},
  })
  const folders = new Map<unknown, string>()
  const openAt = (folder: string) => {
    const store = openMutant(mutant, folder)
    folders.set(store, folder)
    return store
  }
  await sessionStoreSuite({
    describe: (_name, body) => body(),
    it,
    name: mutant.fault,
    groups,
    open: () =>
      mutant.files ? openAt(realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-mutant-')))) : openMutant(mutant),
    reopen: store => (store.rows instanceof FileRows ? openAt(store.rows.folder) : openMutant(mutant, store.rows)),
    damages: { 'a broken row': (store, id) => store.memory.damage(id) },
    child: store => ({
      module: new URL('open-mutant.ts', import.meta.url),
      args: { fault: mutant.fault, group: mutant.caughtBy, folder: folders.get(store) ?? '' },
    }),
    destroy: store => {
      const folder = folders.get(store)
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    },
  })
  const started = performance.now()
  const meant = cases.filter(([sentence]) => sentence.includes(mutant.caughtIn ?? ''))
  if (meant.length === 0) throw new Error(`no case of ${mutant.caughtBy} has the words: ${mutant.caughtIn}`)
  for (const [sentence, body] of meant) {
    try {
      await body()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return { fault: mutant.fault, failed: sentence, message, ms: performance.now() - started }
    }
  }
  return { fault: mutant.fault, failed: null, message: '', ms: performance.now() - started }
}

if (process.argv[1] === import.meta.filename) {
  for (const fault of process.argv.slice(2)) {
    const mutant = mutantOf(fault)
    let result = await tryToCatch(mutant)
    // A kill and a race fall where they fall: what they show is found in nearly every run, not in each.
    for (let more = 5; more > 0 && result.failed === null && random.includes(mutant.caughtBy); more--) {
      result = await tryToCatch(mutant)
    }
    say(`${JSON.stringify(result)}\n`)
  }
  process.exit()
}
