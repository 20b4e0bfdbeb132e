import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sessionStoreSuite } from '@turnstore/conformance'
import { FileSessionStore } from '@turnstore/file'
import { describe, it } from 'vitest'

const folders = new WeakMap<FileSessionStore, string>()

function open(folder: string): FileSessionStore {
  const store = new FileSessionStore(folder)
  folders.set(store, folder)
  return store
}

function folderOf(store: FileSessionStore): string {
  return folders.get(store) ?? ''
}

await sessionStoreSuite({
  describe,
  it,
  name: 'FileSessionStore',
  open: () => open(realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-file-')))),
  reopen: store => open(folderOf(store)),
  child: store => ({ module: new URL('open-store.mjs', import.meta.url), args: folderOf(store) }),
  destroy: store => rmSync(folderOf(store), { recursive: true, force: true }),
})
