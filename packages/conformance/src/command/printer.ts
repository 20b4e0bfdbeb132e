import { clearLine, cursorTo } from 'node:readline'
import { styleText } from 'node:util'
import { printable, printableLine } from '@turnstore/core'
import type { CaseReport, SuiteReport } from '../suite/report.js'
import { groupsOf, seconds, summaryOf } from './summary.js'

const SLOW_MS = 1000

/** Prints a run as it progresses. Colours and the current case are shown only on a terminal. */
export class Printer {
  readonly #out = process.stdout

  group(title: string): void {
    this.#line(`\n${this.#style('bold', title)}`)
  }

  start(name: string): void {
    // A line that wraps could not be erased. Some terminals do not report their width.
    if (!this.#out.isTTY) return
    this.#clear()
    this.#out.write(this.#style('dim', `  … ${name}`.slice(0, (this.#out.columns || 80) - 1)))
  }

  case({ name, status, message, durationMs }: CaseReport): void {
    const took = durationMs < SLOW_MS ? '' : ` ${this.#style('dim', `(${seconds(durationMs)})`)}`
    switch (status) {
      case 'passed':
        return this.#line(`  ${this.#style('green', '✔')} ${name}${took}`)
      case 'failed':
        return this.#line(`  ${this.#style('red', `✖ ${name}`)}${took}\n${indented(message ?? '', 6)}`)
      case 'skipped':
        return this.#line(`  ${this.#style('dim', `- ${name} (skipped: ${printableLine(message ?? '')})`)}`)
    }
  }

  /** @param again the command line without groups and seed */
  end(report: SuiteReport, again: string): void {
    const failures = report.cases.filter(({ status }) => status === 'failed')
    if (failures.length > 0) this.#line(`\n${this.#style('bold', 'Failures')}`)
    for (const { group, name, message } of failures) {
      this.#line(`\n${this.#style('red', `✖ ${group}: ${name}`)}`)
      this.#line(`${indented(message ?? '', 2)}\n`)
      this.#line(`  again: ${again} --group ${group} --seed ${report.seed}`)
    }
    this.#line(`\n${groupsOf(report)}\n\n${summaryOf(report)}`)
  }

  #line(text: string): void {
    this.#clear()
    this.#out.write(`${text}\n`)
  }

  #clear(): void {
    if (!this.#out.isTTY) return
    clearLine(this.#out, 0)
    cursorTo(this.#out, 0)
  }

  #style(format: Parameters<typeof styleText>[0], text: string): string {
    return styleText(format, text, { stream: this.#out })
  }
}

/** Messages of the store may contain anything. */
function indented(message: string, by: number): string {
  return printable(message).replace(/^/gm, ' '.repeat(by))
}
