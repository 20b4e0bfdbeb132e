import type { PartList } from '@turnstore/core'

/** The lists of a turn, as names of parts begin. */
export type ListLetter = 'c' | 'i'

export const LISTS: readonly PartList[] = ['toolCalls', 'items']

export function letterOf(list: PartList): ListLetter {
  return list === 'toolCalls' ? 'c' : 'i'
}

/** The field of a part in the hash of parts. */
export function placeField(token: string, list: PartList, place: number): string {
  return `${token}.${letterOf(list)}${place}`
}

/** The name of a part in its turn, by its id. Its field is {@link nameField}. */
export function partName(list: PartList, id: string): string {
  // Old ids may contain a lone surrogate, which UTF-8 would lose.
  return `${letterOf(list)}:${JSON.stringify(id).slice(1, -1)}`
}

export function nameField(token: string, name: string): string {
  return `${token}.${name}`
}

/** The places of a list are counted in blocks of this many. */
export const BLOCK = 256

/** The field that says how many places of a block are empty. */
export function emptyField(token: string, list: PartList, block: number): string {
  return `${token}.${letterOf(list)}#${block}`
}

/** What a name in the log of changes stands for. */
export type Changed =
  | { readonly kind: 'turn'; readonly index: number }
  | { readonly kind: 'description'; readonly token: string }
  | { readonly kind: 'part'; readonly token: string; readonly list: PartList; readonly place: number }
  | { readonly kind: 'other' }

export function readName(name: string): Changed {
  if (name.startsWith('=')) return { kind: 'turn', index: Number(name.slice(1)) }
  const end = name.indexOf('.')
  if (end === -1) return { kind: 'description', token: name }
  const place = Number(name.slice(end + 2))
  if (!Number.isSafeInteger(place)) return { kind: 'other' }
  const list = name[end + 1] === 'c' ? 'toolCalls' : 'items'
  return { kind: 'part', token: name.slice(0, end), list, place }
}
