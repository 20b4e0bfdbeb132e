import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sessionStoreSuite } from '@turnstore/conformance'
import { FileSessionStore } from '@turnstore/file'
import { describe, it } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'

const folders = new WeakMap<FileSessionStore, string>()

function open(folder: string): FileSessionStore {
  const store = new FileSessionStore(folder)
  folders.set(store, folder)
  return store
}

function folderOf(store: FileSessionStore): string {
  return folders.get(store) ?? ''
}

/** The files of a session of the workspace acme. */
function fileOf(store: FileSessionStore, name: string): string {
  return join(folderOf(store), 'acme', name)
}

/** Other bytes in the place of some that occur once in a file. Its size stays. */
function overwrite(path: string, old: string, bytes: string): void {
  const text = readFileSync(path, 'latin1')
  if (text.split(old).length !== 2 || old.length !== bytes.length) throw new Error(`${old} is not there once`)
  writeFileSync(path, text.replace(old, bytes), 'latin1')
}

/** More bytes after some that occur in a file. */
function insert(path: string, after: string, bytes: string): void {
  const text = readFileSync(path, 'latin1')
  if (!text.includes(after)) throw new Error(`${after} is not there`)
  writeFileSync(path, text.replace(after, after + bytes), 'latin1')
}

await sessionStoreSuite({
  describe,
  it,
  thorough: isThorough,
  name: 'FileSessionStore',
  open: () => open(realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-file-')))),
  reopen: store => open(folderOf(store)),
  child: store => ({ module: new URL('open-store.mjs', import.meta.url), args: folderOf(store) }),
  damages: {
    'a document that is cut': (store, id) => truncateSync(fileOf(store, `${id}.json`), 400),
    'a document of NULs': (store, id) => writeFileSync(fileOf(store, `${id}.json`), Buffer.alloc(500)),
    'a link in place of the document': (store, id) => {
      rmSync(fileOf(store, `${id}.json`))
      symlinkSync('/etc/hostname', fileOf(store, `${id}.json`))
    },
    'a turn of the document without its id': (store, id) =>
      overwrite(fileOf(store, `${id}.json`), '"turn_id": "t1"', '"turn_ix": "t1"'),
    'a session_id in the document that is another': (store, id) =>
      overwrite(fileOf(store, `${id}.json`), '"session_id": "s"', '"session_id": "x"'),
    'a record of the journal that is altered': (store, id) =>
      overwrite(fileOf(store, `${id}.journal`), '"turn_id":"t2"', '"turn_id":"t9"'),
    'keys in the document that are none': (store, id) =>
      insert(fileOf(store, `${id}.json`), '\n    "plan": "pro"', ',\n    "turnstore.keys": []'),
    'items in the document that are no list': (store, id) =>
      insert(fileOf(store, `${id}.json`), '\n      "metadata": {', '\n        "turnstore.items": 7'),
    'a header of the journal that is altered': (store, id) =>
      overwrite(fileOf(store, `${id}.journal`), '"session_id":"s"', '"session_id":"x"'),
  },
  destroy: store => rmSync(folderOf(store), { recursive: true, force: true }),
})
