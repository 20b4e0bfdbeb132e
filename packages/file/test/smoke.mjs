// `smoke.mjs FOLDER`, in whichever runtime runs this.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { FileSessionStore } from '@turnstore/file'
import { SESSION, smoke } from '../../../scripts/testing/smoke.mjs'

const [folder = ''] = process.argv.slice(2)
const store = new FileSessionStore(folder)
const other = new FileSessionStore(folder)
await smoke(store, other)
await other.close()
await store.close()
assert.deepEqual(readdirSync(`${folder}/acme`), ['ü%2F1.json'])

const last = new FileSessionStore(folder)
assert.equal((await last.readTurns(SESSION, { last: 1 }))?.turns[0]?.turnId, 'by the other')
assert.equal(await last.deleteSession(SESSION), true)
await last.close()
console.log('all is well')
