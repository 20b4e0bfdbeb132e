import { TurnstoreError } from '@turnstore/core'
import type { Row } from '../database/driver.js'

/*
 * What is read is checked: the file may have been damaged or edited. The errors name the column, and
 * whoever knows the session adds it.
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
  throw new TurnstoreError('CORRUPT_SESSION', `The database holds no fitting value in column ${column}`)
}

/**
 * Text that a column gives back as it went in, and finds by equality. SQLite keeps text as UTF-8, in
 * which a lone surrogate has no form: the driver would store U+FFFD, and two ids of an old file would
 * become one. Such text is kept as JSON, which has an escape for it; so is text that might be taken for
 * that, which makes the form unique.
 */
export function exact(value: string): string {
  return /^"|\0|\p{Surrogate}/u.test(value) ? JSON.stringify(value) : value
}

/** What {@link exact} was given. @throws `CORRUPT_SESSION` */
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
