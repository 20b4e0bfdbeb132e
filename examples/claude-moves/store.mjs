import { SqliteSessionStore } from '@turnstore/sqlite'

/** For machines that share no disk, this is a RedisSessionStore. */
export function openStore(path) {
  return new SqliteSessionStore(path)
}
