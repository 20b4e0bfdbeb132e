// How a child process opens the data of a mutant. It loads the faults of one group, so that it starts quickly.
import { type Mutant, openMutant } from './mutant.ts'
import type { RowStore } from './row-store.ts'

const families: Record<string, () => Promise<readonly Mutant[]>> = {
  processes: async () => (await import('./faults/processes.ts')).processes,
  crash: async () => (await import('./faults/crash.ts')).crash,
}

export default async ({ fault, group, folder }: Record<'fault' | 'group' | 'folder', string>): Promise<RowStore> => {
  const load = families[group]
  const mutant = (await load?.())?.find(each => each.fault === fault)
  if (mutant === undefined) throw new TypeError(`there is no mutant of ${group} that ${fault}`)
  return openMutant(mutant, folder)
}
