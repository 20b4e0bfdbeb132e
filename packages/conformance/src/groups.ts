import type { Group } from './cases.js'
import { argumentsGroup } from './groups/arguments.js'
import { changeGroup } from './groups/change.js'
import { closingGroup } from './groups/closing.js'
import { concurrencyGroup } from './groups/concurrency.js'
import { copiesGroup } from './groups/copies.js'
import { crashGroup } from './groups/crash.js'
import { damageGroup } from './groups/damage.js'
import { deletingGroup } from './groups/deleting.js'
import { discretionGroup } from './groups/discretion.js'
import { idsGroup } from './groups/ids.js'
import { managerGroup } from './groups/manager.js'
import { modelGroup } from './groups/model.js'
import { pagingGroup } from './groups/paging.js'
import { processesGroup } from './groups/processes.js'
import { queriesGroup } from './groups/queries.js'
import { readingGroup } from './groups/reading.js'
import { recordsGroup } from './groups/records.js'
import { retriesGroup } from './groups/retries.js'
import { scopeGroup } from './groups/scope.js'
import { sizeGroup } from './groups/size.js'
import { valuesGroup } from './groups/values.js'

export type GroupName =
  | 'records'
  | 'reading'
  | 'manager'
  | 'closing'
  | 'arguments'
  | 'ids'
  | 'values'
  | 'change'
  | 'retries'
  | 'model'
  | 'copies'
  | 'concurrency'
  | 'deleting'
  | 'damage'
  | 'processes'
  | 'crash'
  | 'queries'
  | 'paging'
  | 'scope'
  | 'size'
  | 'discretion'

/** Each can be run alone. */
export const groups: Readonly<Record<GroupName, Group>> = {
  records: recordsGroup,
  reading: readingGroup,
  manager: managerGroup,
  closing: closingGroup,
  arguments: argumentsGroup,
  ids: idsGroup,
  values: valuesGroup,
  change: changeGroup,
  retries: retriesGroup,
  model: modelGroup,
  copies: copiesGroup,
  concurrency: concurrencyGroup,
  deleting: deletingGroup,
  damage: damageGroup,
  processes: processesGroup,
  crash: crashGroup,
  queries: queriesGroup,
  paging: pagingGroup,
  scope: scopeGroup,
  size: sizeGroup,
  discretion: discretionGroup,
}
