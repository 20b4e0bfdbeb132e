import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sessionStoreSuite } from '@turnstore/conformance'
import { describe, it } from 'vitest'
import { RowStore } from './mutants/row-store.ts'
import { FileRows, MemoryRows } from './mutants/rows.ts'

// What the mutants are made of is right before it is made wrong.

await sessionStoreSuite({
  describe,
  it,
  name: 'RowStore in memory',
  open: () => new RowStore(new MemoryRows(), {}),
  reopen: store => new RowStore(store.rows, {}),
  damages: { 'a broken row': (store, id) => store.memory.damage(id) },
})

const open = (folder: string): RowStore => new RowStore(new FileRows(folder), {})
const folderOf = ({ rows }: RowStore): string => (rows instanceof FileRows ? rows.folder : '')

await sessionStoreSuite({
  describe,
  it,
  name: 'RowStore on files',
  // What only files show; the rest of the store is the one above.
  groups: ['processes', 'crash'],
  open: () => open(realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-rows-')))),
  reopen: store => open(folderOf(store)),
  child: store => ({ module: new URL('mutants/open-right.ts', import.meta.url), args: folderOf(store) }),
  destroy: store => rmSync(folderOf(store), { recursive: true, force: true }),
})
