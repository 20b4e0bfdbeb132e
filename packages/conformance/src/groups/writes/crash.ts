import type { Cases, Group } from '../../cases/cases.js'
import { Scene } from './crash-scene.js'
import { appends, changesOfManyParts, conditionalAppends, creations } from '../../histories/crash-work.js'
import { seeded } from '../../samples/random.js'
import { indexes } from '../../samples/samples.js'

/** Processes that are killed while they work, and what others find afterwards. */
export const crashGroup: Group = { title: 'Crash', define }

function define(cases: Cases): void {
  const { it, capabilities, thorough } = cases
  const options = {
    needs: 'child',
    skip:
      (capabilities.sharing === 'process' && "the store's sharing is 'process'") ||
      (capabilities.durability === 'none' && "the store's durability is 'none'"),
    timeoutMs: thorough ? 600_000 : 60_000,
  } as const
  const rounds = (count: number): number => (thorough ? count * 20 : count)

  it(
    'stored',
    'keeps every append that was acknowledged before its process was killed, once',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        const ids = ['a', 'b', 'c']
        await scene.create(ids)
        for (const round of indexes(rounds(4))) {
          // Several callers on a session: many appends are under way when the process is killed.
          await scene.kill(
            round,
            ids.flatMap(id => indexes(2).map(() => appends(id, random, scene.name))),
          )
          await scene.expectWhole(ids)
        }
      }),
    options,
  )

  it(
    'atomic',
    'leaves each change, save and delete of a killed process done or not done, and nothing half there',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        // Many at once, so that each kill has a chance to come into the middle of something.
        const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
        for (const round of indexes(rounds(9))) {
          // Two who get in each other's way, and others who are alone.
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
    'leaves no session half made or half deleted where a process was killed while it created and deleted',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        for (const round of indexes(rounds(4))) {
          // Many at once here as well: what a creation has done by halves lasts but a moment.
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
    'applies a turn once when another process repeats what a killed one was at',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        const ids = ['a', 'b', 'alone']
        await scene.create(ids)
        for (const round of indexes(rounds(4))) {
          const told = await scene.kill(round, [
            ...['a', 'a', 'b'].map(id => appends(id, random, scene.name)),
            conditionalAppends('alone', random, scene.name, scene.revisionOf('alone')),
          ])
          // The last ones that it told of: some are acknowledged, some may have happened, some have not.
          await scene.repeat(told.slice(-8))
          await scene.expectWhole(ids)
        }
      }),
    options,
  )

  it(
    'settles',
    'lets others go on while several processes are killed beside them',
    bench =>
      seeded(cases, async random => {
        const scene = new Scene(bench, random)
        for (const round of indexes(rounds(1))) {
          // Those who go on append as long as the kills last: over all rounds it would come to thousands of turns.
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
