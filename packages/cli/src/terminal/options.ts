import { isValidId } from '@turnstore/core/adapter'
import type { SessionQuery } from '@turnstore/core'
import { InvalidArgumentError, Option } from 'commander'
import { readConditions } from './metadata-values.js'

export function storeOption(): Option {
  return new Option('--store <url>', 'the store (default: TURNSTORE_URL)')
}

/** Checked before the command runs: a workspace that is empty by mistake must not mean all. */
export function workspaceOption(description: string): Option {
  return new Option('--workspace <id>', description).argParser((id: string) => {
    if (!isValidId(id)) throw new InvalidArgumentError('It must be 1 to 200 bytes without control characters.')
    return id
  })
}

export function scopeOf({ workspace }: { readonly workspace?: string }): { workspaceId?: string } {
  return workspace === undefined ? {} : { workspaceId: workspace }
}

/** For an option that takes a number. */
export function wholeNumber(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number of at least 1.')
  return number
}

/** For an option that may be given several times. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}

/** Repeatable: a session must match all. */
export function whereOption(): Option {
  return new Option(
    '--where <key=value>',
    'only sessions with this text in their metadata; key:=json for a number, true, false or null; repeatable',
  ).argParser(collected)
}

/** @throws {UsageError} */
export function metadataOf({ where }: { readonly where?: readonly string[] }): Pick<SessionQuery, 'metadata'> {
  return where === undefined ? {} : { metadata: readConditions('--where', where) }
}

export function dryRunOption(): Option {
  return new Option('--dry-run', 'only list what would be deleted')
}

export function yesOption(): Option {
  return new Option('--yes', 'do not ask before deleting; without a terminal, nobody is asked')
}

/** For the help of commands that take ids. */
export const idHelp = 'If an id begins with -, put -- before it: turnstore show -- -id'
