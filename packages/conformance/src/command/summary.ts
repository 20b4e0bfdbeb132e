import type { PromiseReport, SuiteReport } from '../suite/report.js'

const HOME = 'https://github.com/turnstore/turnstore/tree/main/packages/conformance'

/** The summary for a store's README: Markdown that is readable on a terminal too. */
export function summaryOf(report: SuiteReport): string {
  const { name, capabilities, versions, thorough } = report
  const how = [
    `[@turnstore/conformance](${HOME}) ${versions.conformance}`,
    ...(thorough ? ['thorough'] : []),
    ...(report.complete ? [] : [`only ${report.groups.map(group => group.name).join(', ')}`]),
  ].join(', ')
  const declared = Object.entries(capabilities).map(([key, value]) => `${key} \`${String(value)}\``)
  const verdict = `${name} ${report.ok ? 'passes' : 'does not pass'} ${how}`
  return [
    `${verdict}: ${tally(report)}, in ${seconds(report.durationMs)} on ${versions.runtime}.`,
    '',
    `It declares ${declared.join(', ')}.`,
    '',
    ...table(
      ['promise', '', 'cases'],
      report.promises.map(promise => [`${promise.number}. ${promise.title}`, verdictOf(promise), casesOf(promise)]),
    ),
    ...skippedOf(report),
  ].join('\n')
}

/** The groups with their counts. */
export function groupsOf(report: SuiteReport): string {
  return table(
    ['group', 'passed', 'failed', 'skipped', 'time'],
    report.groups.map(({ name, passed, failed, skipped, durationMs }) => [
      name,
      String(passed),
      String(failed),
      String(skipped),
      seconds(durationMs),
    ]),
  ).join('\n')
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

function tally({ passed, failed, skipped }: SuiteReport): string {
  return [
    `${passed} ${passed === 1 ? 'case' : 'cases'} passed`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(skipped === 0 ? [] : [`${skipped} skipped`]),
  ].join(', ')
}

function verdictOf({ status, skipped }: PromiseReport): string {
  if (status !== 'untested') return status
  return skipped > 0 ? 'skipped' : 'not tested'
}

function casesOf({ passed, failed }: PromiseReport): string {
  return failed === 0 ? String(passed) : `${failed} of ${passed + failed} failed`
}

/** Skipped cases by reason, so that they do not look like passed ones. */
function skippedOf({ cases }: SuiteReport): string[] {
  const counts = new Map<string, number>()
  for (const { status, message } of cases) {
    if (status === 'skipped' && message !== null) counts.set(message, (counts.get(message) ?? 0) + 1)
  }
  const reasons = [...counts].map(([reason, count]) => `${count} since ${reason}`)
  return reasons.length === 0 ? [] : ['', `Skipped: ${reasons.join('; ')}.`]
}

/** A Markdown table with aligned columns. Cells have one line and no wide characters. */
function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = headings.map((_, column) => Math.max(3, ...[headings, ...rows].map(row => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`
  return [line(headings), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)]
}
