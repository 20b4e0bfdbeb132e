import type { Capabilities } from '@turnstore/core'
import { text } from '@turnstore/core/adapter/sql'
import type { Database } from './database.js'
import { unusable } from './postgres-errors.js'

const READ = `
  SELECT current_setting('server_version_num')::integer AS version, current_setting('server_encoding') AS encoding,
    current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
    coalesce(current_setting('synchronous_standby_names', true), '') AS standbys`

/** Functions of version 11 are used. */
const OLDEST = 110_000

/** What the settings of the server say about acknowledged writes. @throws `STORE_UNAVAILABLE` */
export async function readSettings(database: Database, deadline: number): Promise<Capabilities> {
  const [row = {}] = await database.read(READ, [], deadline)
  if (Number(row.version) < OLDEST) throw unusable('The store needs Postgres 11 or newer')
  const encoding = text(row, 'encoding')
  if (encoding !== 'UTF8' && encoding !== 'SQL_ASCII') {
    throw unusable(`The database has the encoding ${encoding}, which cannot hold all text; create it with UTF8`)
  }
  const commit = text(row, 'synchronous_commit')
  const isCopied = text(row, 'standbys') !== '' && commit !== 'local'
  return {
    durability: commit === 'off' ? 'none' : text(row, 'fsync') === 'on' ? 'power-loss' : 'process-crash',
    sharing: 'network',
    constantAppend: true,
    constantStep: true,
    search: 'scan',
    ...(!isCopied && { failover: 'may-lose-acknowledged' }),
  }
}
