import { TurnstoreError } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { dialects } from './dialects.js'
import { fromTurns, isWriter } from './from-turns.js'
import type { Format, FormatSession, ToSessionsOptions } from './format.js'
import type { Conversation, FileDialect, MessageDialect } from './middle/dialect.js'
import { conversation, unitsOf } from './middle/entries.js'
import { findDialect } from './recognize.js'
import { toTurns } from './to-turns.js'

/** All formats. */
export const formats: readonly Format[] = dialects.map(formatOf)

/** The format of that name. */
export function formatByName(name: string): Format | undefined {
  return formats.find(format => format.name === name)
}

/**
 * The format of that name, for a package that stores its items and renders turns of others as such.
 * @throws `INVALID_ARGUMENT` if there is none that can be written
 */
export function writableFormat(name: string): WritableFormat {
  const format = formatByName(name)
  if (format !== undefined && canWrite(format)) return format
  throw new TurnstoreError('INVALID_ARGUMENT', `There is no format ${JSON.stringify(name)} that can be written`)
}

/** A format with a way back. */
export type WritableFormat = Format & Required<Pick<Format, 'fromTurns'>>

function canWrite(format: Format): format is WritableFormat {
  return format.fromTurns !== undefined
}

export type Recognition =
  | { readonly format: Format }
  /** Why the value is refused, as the end of a sentence, and how many of its messages are the reason. */
  | { readonly problem: string; readonly count: number }

/**
 * Recognizes a list of messages, or a file, by its content. A file is its JSON value, or the array of the values of its
 * lines. Where messages fit several formats, such as plain text with a role, it is chat completions.
 *
 * @example
 * const found = recognize(messages)
 * if ('problem' in found) throw new Error(`The file ${found.problem}`)
 * const turns = found.format.toTurns(messages)
 */
export function recognize(value: unknown): Recognition {
  const found = findDialect(value)
  if ('problem' in found) return found
  const format = formatByName(found.dialect.name)
  return format === undefined ? { problem: 'has an unknown format', count: 1 } : { format }
}

function formatOf(dialect: MessageDialect | FileDialect): Format {
  const { name, title } = dialect
  return {
    name,
    title,
    recognizes(value) {
      const found = findDialect(value)
      return 'dialect' in found && found.dialect.name === name
    },
    toTurns: (messages, options) => toTurns(dialect, messages, options),
    toSessions: (file, options) => toSessions(dialect, file, options),
    ...(isWriter(dialect) ? { fromTurns: (turns, options) => fromTurns(dialect, turns, options) } : {}),
  }
}

function toSessions(
  dialect: MessageDialect | FileDialect,
  file: unknown,
  options: ToSessionsOptions = {},
): FormatSession[] {
  const { onProblem, ...others } = options
  const units = unitsOf(file)
  const conversations =
    'split' in dialect && !hasMessages(dialect, units) ? conversationsOf(dialect, units) : [conversation(units)]
  return conversations.map(({ messages, problems, ...conversation }, session) => {
    for (const message of problems) {
      if (onProblem === undefined) {
        throw new TurnstoreError('INVALID_RECORD', `session ${session} ${message}. Pass onProblem to continue anyway`)
      }
      onProblem({ session, index: 0, message, loss: 'part' })
    }
    const turns = toTurns(dialect, messages, {
      ...others,
      ...(onProblem === undefined ? {} : { onProblem: problem => onProblem({ ...problem, session }) }),
    })
    return { ...conversation, turns }
  })
}

/** Whether a list has messages of a format that has files too. */
function hasMessages(dialect: MessageDialect | FileDialect, units: readonly unknown[]): boolean {
  return 'fit' in dialect && units.some(unit => isJsonObject(unit) && dialect.fit(unit) !== 'no')
}

function conversationsOf(dialect: FileDialect, units: readonly unknown[]): Conversation[] {
  if (units.length === 0) throw new TurnstoreError('INVALID_ARGUMENT', 'the file is an empty list')
  const belongs = dialect.belonging(units)
  const strangers = units.filter(unit => !isJsonObject(unit) || !belongs(unit)).length
  if (strangers > 0 && (dialect.unit === 'record' || strangers === units.length)) {
    const problem = `${strangers} of ${units.length} ${dialect.unit}s of the file are not of ${dialect.title}`
    throw new TurnstoreError('INVALID_ARGUMENT', problem)
  }
  const objects = units.filter(isJsonObject)
  const conversations = dialect.split(objects)
  const lost = Array.from({ length: units.length - objects.length }, () => 'has a line that is no object; left out')
  if (lost.length === 0) return conversations
  const [first = conversation([]), ...others] = conversations
  return [{ ...first, problems: [...first.problems, ...lost] }, ...others]
}
