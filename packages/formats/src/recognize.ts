import { isJsonObject } from '@turnstore/core/adapter'
import { fileDialects, messageDialects } from './dialects.js'
import type { FileDialect, Fit, MessageDialect } from './middle/dialect.js'
import { unitsOf } from './middle/entries.js'

export type Found =
  | { readonly dialect: MessageDialect | FileDialect }
  /** Why the value is refused, and how many of its messages are the reason. */
  | { readonly problem: string; readonly count: number }

/** A message, line or record, and where it belongs. */
interface Unit {
  readonly file: FileDialect | undefined
  /** One for each message dialect. */
  readonly fits: readonly Fit[]
}

/**
 * Finds the format of a list of messages or of a file by its content. All messages must fit one format. A few that fit
 * none are left to it, which reports them; those of another format make the value mixed.
 */
export function findDialect(value: unknown): Found {
  const values = unitsOf(value)
  if (values.length === 0) return { problem: 'is an empty list', count: 0 }
  const belongs = fileDialects.map(dialect => ({ dialect, test: dialect.belonging(values) }))
  const units = values.map((each): Unit => {
    const file = isJsonObject(each) ? belongs.find(({ test }) => test(each))?.dialect : undefined
    return { file, fits: file === undefined && Array.isArray(value) ? fitsOf(each) : [] }
  })
  const file = units.find(unit => unit.file !== undefined)?.file
  if (file !== undefined) return isWhole(units, file) ? { dialect: file } : refusal(units)
  return Array.isArray(value)
    ? findMessages(units)
    : { problem: 'is not a list of messages, nor a file of a known format', count: 1 }
}

function isWhole(units: readonly Unit[], file: FileDialect): boolean {
  const others = units.filter(unit => unit.file !== file)
  if (others.length === 0) return true
  const areUnknown = others.every(unit => unit.file === undefined && !unit.fits.includes('sure'))
  return file.unit === 'line' && areUnknown && others.length * 2 <= units.length
}

function findMessages(units: readonly Unit[]): Found {
  const counts = messageDialects.map((dialect, index): Count => ({ dialect, sure: 0, no: 0, index }))
  for (const { fits } of units) {
    for (const count of counts) {
      const fit = fits[count.index]
      if (fit === 'sure') count.sure++
      else if (fit === 'no') count.no++
    }
  }
  const best = counts.toSorted(compare)[0]
  if (best === undefined || best.no * 2 > units.length) return refusal(units)
  const isOther = ({ fits }: Unit): boolean => fits[best.index] === 'no' && fits.includes('sure')
  return units.some(isOther) ? refusal(units) : { dialect: best.dialect }
}

interface Count {
  readonly dialect: MessageDialect
  sure: number
  no: number
  readonly index: number
}

/** The fewest that do not fit, then the most that fit nothing else, then the order of the formats. */
function compare(one: Count, other: Count): number {
  return one.no - other.no || other.sure - one.sure || one.index - other.index
}

const noFits: readonly Fit[] = messageDialects.map(() => 'no')

function fitsOf(message: unknown): readonly Fit[] {
  return isJsonObject(message) ? messageDialects.map(dialect => dialect.fit(message)) : noFits
}

/** Names each format once, with how much is of it. */
function refusal(units: readonly Unit[]): Found {
  const counts = new Map<string, number>()
  let unknown = 0
  for (const { file, fits } of units) {
    const title = (file ?? messageDialects[fits.indexOf('sure')])?.title
    if (title !== undefined) counts.set(title, (counts.get(title) ?? 0) + 1)
    else if (!fits.includes('could')) unknown++
  }
  const total = units.length
  const known = [...counts].map(([title, count]) => `${count} of ${title}`).join(', ')
  if (counts.size > 1) return { problem: `mixes formats: of ${total} messages ${known}`, count: total }
  const others = known === '' ? '' : `, beside ${known}`
  return { problem: `has messages of no known format: ${unknown} of ${total}${others}`, count: unknown }
}
