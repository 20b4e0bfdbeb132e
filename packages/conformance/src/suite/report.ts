import type { Capabilities } from '@turnstore/core'
import { contract, type Clause, promiseOf, promises } from '../cases/contract.js'
import type { GroupName } from '../cases/group-name.js'

/** The result of one case. */
export interface CaseReport {
  readonly group: GroupName
  /** What the case tests, in a sentence. Unique within its group. */
  readonly name: string
  /** The number of the tested promise in `docs/guarantees.md`; null for other parts of the contract. */
  readonly promise: number | null
  /** The promise or part in words. */
  readonly clause: string
  readonly status: CaseStatus
  /** For a failed case: what is wrong. For a skipped case: why it does not apply. */
  readonly message: string | null
  readonly durationMs: number
}

export type CaseStatus = 'passed' | 'failed' | 'skipped'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export interface GroupReport extends Counts {
  readonly name: GroupName
  readonly title: string
  readonly durationMs: number
}

export interface PromiseReport extends Counts {
  readonly number: number
  readonly title: string
  /** `untested` if none of its cases ran. */
  readonly status: 'kept' | 'broken' | 'untested'
}

/** The result of a run of the suite, as plain JSON. */
export interface SuiteReport extends Counts {
  /** The name of the store. */
  readonly name: string
  /** Whether at least one case passed and none failed. */
  readonly ok: boolean
  readonly capabilities: Capabilities
  readonly promises: readonly PromiseReport[]
  readonly groups: readonly GroupReport[]
  /** Whether all groups of the suite ran. */
  readonly complete: boolean
  readonly cases: readonly CaseReport[]
  /** Pass it as `seed` to repeat the random cases. */
  readonly seed: number
  readonly thorough: boolean
  readonly durationMs: number
  readonly versions: { readonly conformance: string; readonly runtime: string }
}

/** The part of the contract that a case tests. */
export function placeOf(clause: Clause): Pick<CaseReport, 'promise' | 'clause'> {
  return { promise: promiseOf(clause), clause: contract[clause] }
}

export function countsOf(cases: readonly CaseReport[]): Counts {
  const count = (status: CaseStatus): number => cases.filter(found => found.status === status).length
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') }
}

export function promisesOf(cases: readonly CaseReport[]): PromiseReport[] {
  return promises().map(({ number, title }) => {
    const counts = countsOf(cases.filter(({ promise }) => promise === number))
    const status = counts.failed > 0 ? 'broken' : counts.passed > 0 ? 'kept' : 'untested'
    return { number, title, status, ...counts }
  })
}
