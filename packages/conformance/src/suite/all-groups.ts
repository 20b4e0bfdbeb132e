import type { GroupName } from '../cases/group-name.js'
import type { Group } from '../cases/cases.js'
import { argumentsGroup } from '../groups/calls/arguments.js'
import { changeGroup } from '../groups/writes/change.js'
import { closingGroup } from '../groups/calls/closing.js'
import { concurrencyGroup } from '../groups/writes/concurrency.js'
import { copiesGroup } from '../groups/data/copies.js'
import { crashGroup } from '../groups/writes/crash.js'
import { damageGroup } from '../groups/data/damage.js'
import { deletingGroup } from '../groups/writes/deleting.js'
import { discretionGroup } from '../groups/data/discretion.js'
import { idsGroup } from '../groups/data/ids.js'
import { managerGroup } from '../groups/calls/manager.js'
import { partsGroup } from '../groups/writes/parts.js'
import { keysGroup } from '../groups/writes/keys.js'
import { creationGroup } from '../groups/writes/creation.js'
import { modelGroup } from '../groups/writes/model.js'
import { pagingGroup } from '../groups/listings/paging.js'
import { processesGroup } from '../groups/writes/processes.js'
import { queriesGroup } from '../groups/listings/queries.js'
import { readingGroup } from '../groups/data/reading.js'
import { recordsGroup } from '../groups/data/records.js'
import { retriesGroup } from '../groups/writes/retries.js'
import { searchGroup } from '../groups/listings/search.js'
import { watchGroup } from '../groups/listings/watch.js'
import { scopeGroup } from '../groups/listings/scope.js'
import { sizeGroup } from '../groups/writes/size.js'
import { valuesGroup } from '../groups/data/values.js'

/** Every group can run alone. */
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
  parts: partsGroup,
  keys: keysGroup,
  creation: creationGroup,
  model: modelGroup,
  copies: copiesGroup,
  concurrency: concurrencyGroup,
  deleting: deletingGroup,
  damage: damageGroup,
  processes: processesGroup,
  crash: crashGroup,
  queries: queriesGroup,
  paging: pagingGroup,
  search: searchGroup,
  watch: watchGroup,
  scope: scopeGroup,
  size: sizeGroup,
  discretion: discretionGroup,
}
