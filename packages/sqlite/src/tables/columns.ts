import { TurnstoreError } from '@turnstore/core'
import type { Row } from '../database/driver.js'

/*
 * Values are checked when they are read: the file may have been damaged or edited. The errors name the column; the
 * caller adds the session.
 */

/** @throws `CORRUPT_SESSION` */
export function text(row: Row, column: string): string {
  const value = row[column]
  return typeof value === 'string' ? value : refuse(column)
}

/** @throws `CORRUPT_SESSION` */
export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : text(row, column)
}

/** @throws `CORRUPT_SESSION` */
export function count(row: Row, column: string): number {
  const value = row[column]
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : refuse(column)
}

function refuse(column: string): never {
  throw new TurnstoreError('CORRUPT_SESSION', `The database holds no valid value in column ${column}`)
}

/**
 * Encodes text so that a column returns it unchanged and finds it by equality. SQLite stores UTF-8, which has no lone
 * surrogates: the driver would store U+FFFD, and two ids of an old file would become one. Such text is stored as JSON,
 * with an escape. So is text that begins with a quote, which keeps the encoding unique.
 */
export function exact(value: string): string {
  return /^"|\0|\p{Surrogate}/u.test(value) ? JSON.stringify(value) : value
}

export function exactOrNull(value: string | null): string | null {
  return value === null ? null : exact(value)
}

/** Decodes what {@link exact} encoded. @throws `CORRUPT_SESSION` */
export function fromExact(row: Row, column: string): string {
  const value = text(row, column)
  if (!value.startsWith('"')) return value
  const original = parseOrNull(value)
  return typeof original === 'string' ? original : refuse(column)
}

/** @throws `CORRUPT_SESSION` */
export function fromExactOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : fromExact(row, column)
}

function parseOrNull(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
