import { isJsonObject } from '@turnstore/core/adapter'
import { fileDialects, messageDialects } from './dialects.js'
import type { FileDialect, Fit, MessageDialect } from './middle/dialect.js'

export type Found =
  | { readonly dialect: MessageDialect | FileDialect }
  /** Why the value is refused, and how many of its messages are the reason. */
  | { readonly problem: string; readonly count: number }

/**
 * Finds the format of a list of messages or of a file by its content. All messages must fit one format. A few that fit
 * none are left to it, which reports them; those of another format make the value mixed.
 */
export function findDialect(value: unknown): Found {
  const file = fileDialects.find(dialect => dialect.split(value) !== null)
  if (file !== undefined) return { dialect: file }
  if (!Array.isArray(value)) return { problem: 'is not a list of messages, nor a file of a known format', count: 1 }
  if (value.length === 0) return { problem: 'is an empty list', count: 0 }
  const fits = value.map(fitsOf)
  const counts = messageDialects.map((dialect, index): Count => {
    const each = fits.map(fit => fit[index])
    return {
      dialect,
      sure: each.filter(fit => fit === 'sure').length,
      no: each.filter(fit => fit === 'no').length,
      index,
    }
  })
  const best = counts.toSorted(compare)[0]
  if (best === undefined || best.no * 2 > value.length) return refusal(fits)
  const isOther = (fit: readonly Fit[]): boolean => fit[best.index] === 'no' && fit.includes('sure')
  return fits.some(isOther) ? refusal(fits) : { dialect: best.dialect }
}

interface Count {
  readonly dialect: MessageDialect
  readonly sure: number
  readonly no: number
  readonly index: number
}

/** The fewest that do not fit, then the most that fit nothing else, then the order of the formats. */
function compare(one: Count, other: Count): number {
  return one.no - other.no || other.sure - one.sure || one.index - other.index
}

function fitsOf(message: unknown): readonly Fit[] {
  return messageDialects.map(dialect => (isJsonObject(message) ? dialect.fit(message) : 'no'))
}

function refusal(fits: readonly (readonly Fit[])[]): Found {
  const counts = new Map<string, number>()
  let unknown = 0
  for (const fit of fits) {
    const index = fit.indexOf('sure')
    const title = index === -1 ? undefined : messageDialects[index]?.title
    if (title !== undefined) counts.set(title, (counts.get(title) ?? 0) + 1)
    else if (fit.every(each => each === 'no')) unknown++
  }
  const total = fits.length
  const mixed = [...counts].map(([title, count]) => `${count} of ${title}`)
  if (mixed.length > 1) {
    return { problem: `mixes formats: of ${total} messages ${mixed.join(', ')}`, count: total }
  }
  return { problem: `has messages of no known format: ${unknown} of ${total}`, count: unknown }
}
