import { randomInt } from 'node:crypto'
import type { SessionStore } from '@turnstore/core'
import type { Case } from '../cases/cases.js'
import { nameOf } from '../checks/expect.js'
import type { GroupName } from '../cases/group-name.js'
import { turnOfTheEventLoop } from '../checks/races.js'
import { type CaseReport, countsOf, type GroupReport, placeOf, promisesOf, type SuiteReport } from './report.js'
import type { StoreSetup } from '../cases/setup.js'
import { groupNames, readSuite } from './suite.js'
import { runtime, version } from './versions.js'

export interface RunOptions {
  /** Called with each group before its first case. */
  onGroup?: (group: { name: GroupName; title: string }) => void
  /** Called with each case before it runs. */
  onStart?: (name: string) => void
  /** Called with each case when it has finished. */
  onCase?: (report: CaseReport) => void
  /** Stops the run: the current case ends its child processes, and closes and destroys its stores. */
  signal?: AbortSignal
}

/**
 * Runs the suite without a test runner and returns a report. During the run, an unhandled error counts as a failure of
 * the current case and does not end the process.
 *
 * @throws if a part of the setup is missing or invalid; the error of `open`, if the first store cannot be opened; the
 * reason of the signal, if it stopped the run
 *
 * @example
 * const report = await runSuite({ name: 'MyStore', open: () => new MyStore() })
 * console.log(report.ok, report.cases.filter(({ status }) => status === 'failed'))
 */
export async function runSuite<Store extends SessionStore>(
  setup: StoreSetup<Store>,
  { onGroup, onStart, onCase, signal }: RunOptions = {},
): Promise<SuiteReport> {
  const started = performance.now()
  // Chosen here, so that one seed reproduces all random cases of a run.
  const seed = setup.seed ?? randomInt(2 ** 31)
  const suite = await readSuite({ ...setup, seed }, signal)
  const cases: CaseReport[] = []
  const groups: GroupReport[] = []
  for (const { name, title, cases: ofGroup } of suite.groups) {
    onGroup?.({ name, title })
    const reports: CaseReport[] = []
    for (const found of ofGroup) {
      signal?.throwIfAborted()
      if (found.skipped === null) onStart?.(found.sentence)
      const outcome = await outcomeOf(found, signal)
      const report = { group: name, name: found.sentence, ...placeOf(found.clause), ...outcome }
      // What the stop itself interrupted is not a failure.
      signal?.throwIfAborted()
      onCase?.(report)
      reports.push(report)
    }
    groups.push({ name, title, ...countsOf(reports), durationMs: sum(reports.map(({ durationMs }) => durationMs)) })
    cases.push(...reports)
  }
  const counts = countsOf(cases)
  return {
    name: setup.name,
    ok: counts.failed === 0 && counts.passed > 0,
    ...counts,
    capabilities: suite.capabilities,
    promises: promisesOf(cases),
    groups,
    complete: groupNames().every(name => groups.some(group => group.name === name)),
    cases,
    seed,
    thorough: setup.thorough ?? false,
    durationMs: round(performance.now() - started),
    versions: { conformance: version(), runtime: runtime() },
  }
}

type Outcome = Pick<CaseReport, 'status' | 'message' | 'durationMs'>

async function outcomeOf({ skipped, run }: Case, signal: AbortSignal | undefined): Promise<Outcome> {
  if (skipped !== null) return { status: 'skipped', message: skipped, durationMs: 0 }
  const started = performance.now()
  const problems: string[] = []
  const unhandled = (error: unknown): void => {
    problems.push(`unhandled error: ${nameOf(error)}`)
  }
  // Also receives unhandled rejections.
  process.on('uncaughtException', unhandled)
  try {
    await run(signal)
  } catch (error) {
    problems.unshift(error instanceof Error ? error.message : nameOf(error))
  }
  await turnOfTheEventLoop()
  process.off('uncaughtException', unhandled)
  const durationMs = round(performance.now() - started)
  return problems.length === 0
    ? { status: 'passed', message: null, durationMs }
    : { status: 'failed', message: problems.join('\n'), durationMs }
}

function sum(numbers: readonly number[]): number {
  return round(numbers.reduce((a, b) => a + b, 0))
}

/** Rounded to a tenth of a millisecond. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10
}
