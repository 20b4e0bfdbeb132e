import { join } from 'node:path'
import { createStorage } from 'unstorage'
import fs from 'unstorage/drivers/fs'
import { wholeRecord } from './whole-record.mjs'

/** One value a session, in a file of its own, which nothing syncs. */
export async function openUnstorage(folder) {
  const storage = createStorage({ driver: fs({ base: join(folder, 'unstorage') }) })
  return wholeRecord({
    get: key => storage.getItem(key),
    set: (key, record) => storage.setItem(key, record),
    close: () => storage.dispose(),
  })
}
