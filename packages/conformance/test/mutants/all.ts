import { args } from './faults/arguments.ts'
import { change } from './faults/change.ts'
import { closing } from './faults/closing.ts'
import { combinations } from './faults/combinations.ts'
import { concurrency } from './faults/concurrency.ts'
import { copies } from './faults/copies.ts'
import { creation } from './faults/creation.ts'
import { crash } from './faults/crash.ts'
import { damage } from './faults/damage.ts'
import { deleting } from './faults/deleting.ts'
import { discretion } from './faults/discretion.ts'
import { ids } from './faults/ids.ts'
import { parts, partSizes } from './faults/parts.ts'
import { paging, queries } from './faults/listings.ts'
import { keys } from './faults/keys.ts'
import { manager, model, size } from './faults/others.ts'
import { processes } from './faults/processes.ts'
import { reading } from './faults/reading.ts'
import { records } from './faults/records.ts'
import { retries } from './faults/retries.ts'
import { search } from './faults/search.ts'
import { watch } from './faults/watch.ts'
import { scope } from './faults/scope.ts'
import { values } from './faults/values.ts'
import type { Mutant } from './mutant.ts'

export const mutants: readonly Mutant[] = [
  records,
  reading,
  manager,
  closing,
  args,
  ids,
  values,
  change,
  retries,
  parts,
  keys,
  creation,
  model,
  copies,
  concurrency,
  deleting,
  damage,
  processes,
  crash,
  queries,
  paging,
  search,
  watch,
  scope,
  size,
  partSizes,
  discretion,
  combinations,
].flat()

export function mutantOf(fault: unknown): Mutant {
  const mutant = mutants.find(each => each.fault === fault)
  if (mutant === undefined) throw new TypeError(`there is no mutant that ${String(fault)}`)
  return mutant
}
