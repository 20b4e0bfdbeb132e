import type { GroupName } from '@turnstore/conformance'
import { type Faults, RowStore, throughCall } from './row-store.ts'
import { FileRows, MemoryRows, type Rows } from './rows.ts'

/** A store that is wrong in exactly one way. */
export interface Mutant {
  /** What it does wrong, as one would say it of a store. */
  readonly fault: string
  /** How real code comes to it. */
  readonly mistake: string
  /** The group that is meant to catch it. */
  readonly caughtBy: GroupName
  /** Words of the case that is meant to, where a group takes long. */
  readonly caughtIn?: string
  /** Made for each handle, so that a handle can remember what it should not. */
  readonly faults: (rows: Rows) => Faults
  /** Where its rows are; without, in memory. */
  readonly files?: (folder: string) => FileRows
}

export type Family = Readonly<Record<string, readonly [mistake: string, faults: Faults | ((rows: Rows) => Faults)]>>

/** Faults of stores in memory that one group is meant to catch. */
export function inMemory(caughtBy: GroupName, family: Family): Mutant[] {
  return Object.entries(family).map(([fault, [mistake, faults]]) => ({
    fault,
    mistake,
    caughtBy,
    faults: typeof faults === 'function' ? faults : () => faults,
  }))
}

/** Faults of stores on files, for several processes. */
export function onFiles(
  caughtBy: GroupName,
  family: Readonly<Record<string, readonly [mistake: string, files: typeof FileRows, faults?: () => Faults]>>,
  caughtIn: (fault: string) => string = () => '',
): Mutant[] {
  return Object.entries(family).map(([fault, [mistake, Files, faults = () => ({})]]) => ({
    fault,
    mistake,
    caughtBy,
    caughtIn: caughtIn(fault),
    faults,
    files: folder => new Files(folder),
  }))
}

/** A handle on the rows of a folder, or on rows in memory. */
export function openMutant({ faults, files }: Mutant, at: string | Rows = new MemoryRows()): RowStore {
  const rows = typeof at !== 'string' ? at : (files?.(at) ?? new FileRows(at))
  const wrong = faults(rows)
  return throughCall(new RowStore(rows, wrong), wrong)
}
