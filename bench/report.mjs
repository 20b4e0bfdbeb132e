import { amount, compare } from './comparison.mjs'

/** Runs what the parts ask for, prints it as it comes, and keeps it for the file of results. */
export class Report {
  #quick
  #withPeers
  #comparisons = []
  #goals = []
  #remarks = []
  #leftOut = []
  #heading = ''

  constructor({ quick, withPeers }) {
    this.#quick = quick
    this.#withPeers = withPeers
  }

  get quick() {
    return this.#quick
  }

  /** The lengths of the sessions that are added to. */
  get sizes() {
    return this.#quick ? [0, 1000, 10_000] : [0, 1000, 10_000, 100_000]
  }

  get result() {
    return {
      comparisons: this.#comparisons,
      goals: this.#goals,
      remarks: this.#remarks,
      leftOut: this.#leftOut,
    }
  }

  /** As `compare` does; a quick run makes a tenth of the repetitions. */
  async compare({ repetitions, ...spec }) {
    const comparison = await compare({
      ...spec,
      repetitions: this.#quick ? Math.max(2, Math.ceil(repetitions / 10)) : repetitions,
      onProgress: fraction => this.progress(`${spec.title} ${(100 * fraction).toFixed(0)}%`),
    })
    this.#comparisons.push(comparison)
    this.#goals.push(...comparison.goals.map(goal => ({ title: spec.title, ...goal })))
    this.say(tableOf(comparison))
    return comparison
  }

  /** What is no ratio: `met` is true or false where there is a goal, and otherwise left out. */
  remark({ title, work, seen, goal, met }) {
    this.#remarks.push({ title, work, seen })
    if (goal !== undefined) this.#goals.push({ title, work, goal, seen, met })
    const line = `  ${work}: ${seen}${goal === undefined ? '' : `   ${goal} ${mark(met)}`}`
    this.say(this.#heading === title ? line : `\n${title}\n${line}`)
    this.#heading = title
  }

  /** What `open` gives, or null and the reason in the report. */
  async peer(name, open) {
    try {
      if (!this.#withPeers) throw new Error('--no-peers')
      this.progress(`opening ${name}`)
      return await open()
    } catch (error) {
      const reason = error.code === 'ERR_MODULE_NOT_FOUND' ? 'not installed: `npm install` in bench/' : error.message
      this.leaveOut(name, reason)
      return null
    }
  }

  leaveOut(what, reason) {
    this.#leftOut.push({ what, reason })
    this.say(`\nLeft out: ${what} (${reason})`)
  }

  say(text) {
    this.#heading = ''
    this.progress('')
    console.log(text)
  }

  /** One line on a terminal, which the next thing said replaces; nothing elsewhere. */
  progress(text) {
    if (process.stderr.isTTY) process.stderr.write(`\r\u{1b}[K${text}`)
  }

  summarise() {
    const rows = this.#goals.map(({ title, work, goal, seen, met }) => [title, work, goal, seen ?? '', mark(met)])
    this.say(`\nGoals\n${columns([['', '', 'goal', 'seen', ''], ...rows], 3)}`)
    const count = met => this.#goals.filter(goal => goal.met === met).length
    this.say(`\n${count(true)} met, ${count(false)} missed, ${count(null)} not measured.`)
    for (const { what, reason } of this.#leftOut) this.say(`Left out: ${what} (${reason})`)
  }
}

function tableOf({ title, floor, rows, goals }) {
  const lines = rows.map(row => [
    `  ${row.name}${row.elsewhere ? ' (from above)' : ''}`,
    `${amount(row.ratio)}×`,
    ...[row.median, row.p99, row.mean].map(duration),
    goals
      .filter(goal => goal.work === row.name)
      .map(goal => goalText(goal, floor))
      .join('; '),
  ])
  return `\n${columns([[title, 'ratio', 'median', 'p99', 'mean', 'goal'], ...lines], 1, 4)}`
}

function goalText({ goal, seen, met }, floor) {
  const shown = goal.endsWith(`× ${floor}`) ? goal.slice(0, -floor.length - 1) : `${goal}: ${seen ?? 'not measured'}`
  return `${shown} ${mark(met)}`
}

const mark = met => (met === null ? 'not measured' : met ? 'met' : 'MISSED')

function duration(microseconds) {
  return microseconds < 10_000 ? `${amount(microseconds)} µs` : `${amount(microseconds / 1000)} ms`
}

/** Lines of cells, those of the columns from `first` to `last` to the right. */
function columns(lines, first, last = first) {
  const widths = lines[0].map((_, at) => Math.max(...lines.map(line => line[at].length)))
  const cell = (text, at) => (at >= first && at <= last ? text.padStart(widths[at]) : text.padEnd(widths[at]))
  return lines.map(line => line.map(cell).join('  ').trimEnd()).join('\n')
}
