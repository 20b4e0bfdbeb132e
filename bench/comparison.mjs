import { figures, interleave } from './timing.mjs'

/**
 * Runs kinds of work against each other and judges their medians.
 *
 * `works` names each kind; one that is null was left out, and where it is wanted the goal says so. Ratios are to
 * `floor`: the name of one of the works, or what `figure` gave of another comparison of the same run, for work that
 * is too heavy to run beside it. `each` divides the time of a work that does many things at once.
 *
 * A goal belongs to a work: `{ atMost }` or `{ atLeast }` times the median of the floor, or of the work that `of`
 * names.
 */
export async function compare({ title, works, floor, goals = {}, each = {}, repetitions, block = 20, onProgress }) {
  const present = Object.fromEntries(Object.entries(works).filter(([, work]) => work !== null))
  const times = await interleave(present, { repetitions, block, onProgress })
  const known = new Map(typeof floor === 'string' ? [] : [[floor.name, floor]])
  for (const [name, all] of Object.entries(times)) {
    known.set(name, { name, ...figures(all.map(time => time / (each[name] ?? 1))) })
  }
  const base = known.get(typeof floor === 'string' ? floor : floor.name)
  const rows = [...known.values()].map(row => ({ ...row, ratio: row.median / base.median, elsewhere: row === floor }))
  const judged = Object.entries(goals).flatMap(([name, all]) =>
    all.map(goal => judge(name, { of: base.name, ...goal }, known)),
  )
  return { title, floor: base.name, rows, goals: judged }
}

/** What one kind of work took, as the floor of another comparison. */
export function figure(comparison, name) {
  return comparison.rows.find(row => row.name === name)
}

function judge(name, { of, atMost, atLeast }, known) {
  const limit = atMost === undefined ? `≥ ${amount(atLeast)}` : `≤ ${amount(atMost)}`
  const goal = { work: name, goal: `${limit}× ${of}` }
  if (!known.has(name) || !known.has(of)) return { ...goal, seen: null, met: null }
  const seen = known.get(name).median / known.get(of).median
  return { ...goal, seen: `${amount(seen)}×`, met: atMost === undefined ? seen >= atLeast : seen <= atMost }
}

export function amount(number) {
  return number.toLocaleString('en-US', { maximumFractionDigits: number < 10 ? 2 : number < 100 ? 1 : 0 })
}
