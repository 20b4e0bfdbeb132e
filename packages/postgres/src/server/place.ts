import { invalid } from './postgres-errors.js'

/** Where the tables are. */
export interface Place {
  readonly schema: string
  /** The start of the name of each table, index and function. */
  readonly prefix: string
}

/** The longest name that Postgres keeps whole, in bytes. */
const LONGEST_NAME = 63

/** The longest name after the prefix: `sessions_workspace_updated`. */
const LONGEST_SUFFIX = 26

/** @throws `INVALID_ARGUMENT` */
export function checkPlace({ schema, prefix }: Place): Place {
  checkName(schema, 'schema', 1, LONGEST_NAME)
  checkName(prefix, 'prefix', 0, LONGEST_NAME - LONGEST_SUFFIX)
  return { schema, prefix }
}

function checkName(name: unknown, option: string, least: number, most: number): void {
  const isName = typeof name === 'string' && !/[\0\p{Surrogate}]/u.test(name)
  const bytes = isName ? Buffer.byteLength(name) : -1
  if (bytes < least || bytes > most) {
    throw invalid(`options.${option} must be a well-formed string of ${least} to ${most} bytes`)
  }
}
