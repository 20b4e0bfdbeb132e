import { isTurnstoreError, TurnstoreError } from '@turnstore/core'
import type { Database } from '../server/database.js'
import type { Place } from '../server/place.js'
import { unusable } from '../server/postgres-errors.js'
import { FUNCTIONS } from './functions.js'
import { inPlace, named, quoteName, quoteText } from './names.js'
import { COMPRESSION, SCHEMA } from './schema.js'

/**
 * Step n upgrades the tables from version n - 1 to n; the first makes them. A released step never changes: a change of
 * the tables or of a function is a new step at the end.
 */
export const steps: readonly string[] = [SCHEMA + FUNCTIONS]

/**
 * The SQL that makes the tables, or upgrades older ones: one statement, and so one transaction. Others that do the same
 * wait for it.
 * @param list only tests pass another than {@link steps}
 */
export function migrationSql(place: Place, list: readonly string[] = steps): string {
  const settings = named(place, 'settings')
  const lock = `hashtextextended(${quoteText(settings)}, 0)`
  const upgrades = list.map((step, index) => {
    const statements = `EXECUTE ${quoteText(inPlace(step, place))};`
    return `IF v_version < ${index + 1} THEN ${statements} END IF;`
  })
  const body = `
    DECLARE
      v_version bigint := 0;
    BEGIN
      PERFORM pg_advisory_xact_lock(${lock});
      IF to_regnamespace(${quoteText(quoteName(place.schema))}) IS NULL THEN
        CREATE SCHEMA ${quoteName(place.schema)};
      END IF;
      IF to_regclass(${quoteText(settings)}) IS NOT NULL THEN
        SELECT value INTO v_version FROM ${settings} WHERE name = 'schema_version';
      END IF;
      ${upgrades.join('\n      ')}
      IF v_version < 1 AND EXISTS (
        SELECT 1 FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)
      ) THEN
        EXECUTE ${quoteText(inPlace(COMPRESSION, place))};
      END IF;
      IF v_version < ${list.length} THEN
        INSERT INTO ${settings} (name, value) VALUES ('schema_version', ${list.length})
        ON CONFLICT (name) DO UPDATE SET value = excluded.value;
      END IF;
    END`
  return `DO ${quoteText(body)}`
}

/**
 * Makes the tables if they are missing, or upgrades older ones. Current tables are only read.
 * @param mayCreate whether to do so, or to refuse them
 * @throws `SCHEMA_TOO_NEW` for newer tables, which stay untouched; `STORE_UNAVAILABLE`
 */
export async function migrate(
  database: Database,
  place: Place,
  mayCreate: boolean,
  deadline: number,
  list: readonly string[] = steps,
): Promise<void> {
  const version = await versionOf(database, place, deadline)
  if (version === list.length) return
  if (version > list.length) {
    throw new TurnstoreError(
      'SCHEMA_TOO_NEW',
      `The tables have version ${version}, and this version of @turnstore/postgres supports up to ${list.length}; install a newer one`,
    )
  }
  const what = version === 0 ? 'The tables do not exist' : `The tables have the older version ${version}`
  const how = 'run `turnstore migrate --to URL` as a user who may create tables in the schema'
  if (!mayCreate) throw unusable(`${what}, and options.migrate is false; ${how}`)
  try {
    await database.read(migrationSql(place, list), [], deadline)
  } catch (error) {
    if (isTurnstoreError(error) && hasCode(error.cause, '42501')) {
      throw new TurnstoreError('STORE_UNAVAILABLE', `${what}, and the user may not create them (42501); ${how}`, {
        cause: error.cause,
      })
    }
    throw error
  }
}

/** 0: there are no tables. @throws `STORE_UNAVAILABLE` */
async function versionOf(database: Database, place: Place, deadline: number): Promise<number> {
  const settings = named(place, 'settings')
  const [found] = await database.read('SELECT to_regclass($1) IS NOT NULL AS found', [settings], deadline)
  if (found?.found !== true) return 0
  const read = `SELECT value::text AS version FROM ${settings} WHERE name = 'schema_version'`
  const [row] = await database.read(read, [], deadline)
  const version = Number(row?.version)
  if (Number.isSafeInteger(version) && version >= 1) return version
  throw unusable(`The table ${settings} has no schema version; Turnstore did not make it`)
}

/** Whether the server gave this SQLSTATE. */
export function hasCode(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code
}
