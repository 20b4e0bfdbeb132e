import type { Cases, Group } from '../../cases/cases.js'
import { Scene } from './crash-scene.js'
import {
  appends,
  changesOfManyParts,
  conditionalAppends,
  creations,
  keyedChanges,
  steps,
} from '../../histories/crash-work.js'
import { seeded } from '../../samples/random.js'
import { indexes } from '../../samples/samples.js'

/** Processes that are killed during writes, and what other processes find afterwards. */
export const crashGroup: Group = { title: 'Crash', define }

function define(cases: Cases): void {
  const { it, capabilities, thorough } = cases
  const options = {
    needs: 'child',
    skip:
      (capabilities.sharing === 'process' && "the store's sharing is 'process'") ||
      (capabilities.durability === 'none' && "the store's durability is 'none'"),
  } as const
  const rounds = (count: number): number => (thorough ? count * 20 : count)

  it(
    'stored',
    'keeps every append that was acknowledged before its process was killed exactly once',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        const ids = ['a', 'b', 'c']
        await scene.create(ids)
        for (const round of indexes(rounds(4))) {
          // Several callers on one session: many appends are in progress when the process is killed.
          await scene.kill(
            round,
            ids.flatMap(id => [appends(id, random, scene.name), steps(id, random, scene.name)]),
          )
          await scene.expectWhole(ids)
        }
      }),
    options,
  )

  it(
    'atomic',
    'leaves each change, save and delete of a killed process applied or not applied, never in between',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        // Many at once, so that a kill is likely to interrupt a write.
        const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
        for (const round of indexes(rounds(9))) {
          // Two callers that conflict, and others with their own sessions.
          await scene.kill(
            round,
            ['a', ...ids].map(id => changesOfManyParts(id, random, scene.name)),
          )
          await scene.expectWhole(ids)
        }
      }),
    options,
  )

  it(
    'atomic',
    'leaves no partly created or deleted session when a process is killed while it creates and deletes',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        for (const round of indexes(rounds(4))) {
          // Many at once, since a creation is incomplete only for a moment.
          const told = await scene.kill(
            round,
            indexes(8).map(() => creations(random, scene.name)),
          )
          const ids = [...new Set(told.map(({ id }) => id))]
          await scene.expectWhole(ids)
          await Promise.all(ids.map(id => bench.store.deleteSession(id)))
          scene.forget()
        }
      }),
    options,
  )

  it(
    'retry',
    'applies a turn and a change with a key once when another process repeats the calls of a killed one',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        const ids = ['a', 'b', 'alone', 'keyed']
        await scene.create(ids.slice(0, 3))
        for (const round of indexes(rounds(4))) {
          const told = await scene.kill(round, [
            ...['a', 'a', 'b'].map(id => appends(id, random, scene.name)),
            conditionalAppends('alone', random, scene.name, scene.revisionOf('alone')),
            ...indexes(2).map(() => keyedChanges('keyed', scene.name)),
          ])
          // The last reported calls: some acknowledged, some possibly stored, some not stored.
          await scene.repeat(told.slice(-12))
          await scene.expectWhole(ids)
        }
      }),
    options,
  )

  it(
    'settles',
    'lets other processes continue while several are killed',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        for (const round of indexes(rounds(1))) {
          // Other processes append until the last kill, which would add up to thousands of turns over all rounds.
          const ids = [`a${round}`, `b${round}`]
          await scene.create(ids)
          await scene.killAll(round, 3, () => ids.map(id => appends(id, random, scene.name)), ids)
          await scene.expectWhole(ids)
          await Promise.all(ids.map(id => bench.store.deleteSession(id)))
          scene.forget()
        }
      }),
    options,
  )
}
