import { mkdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { many, now, wireTurn } from '../turns.mjs'
import { wholeRecord } from './whole-record.mjs'

/*
 * The way of the Python module that Turnstore grew from: one indented JSON document a session, read and written anew
 * for each turn. Nothing syncs it, so it promises less than the file store beside it.
 */

/** By hand in JavaScript. */
export async function openReferenceTwin(folder) {
  const base = folderFor(folder, 'reference-js')
  const path = id => join(base, `${id}.json`)
  return wholeRecord({
    get: async id => JSON.parse(await readFile(path(id), 'utf8')),
    set: (id, record) => writeFile(path(id), JSON.stringify({ ...record, updated_at: now() }, null, 2)),
    async close() {},
  })
}

/** By hand in Python, in a process of its own that takes a turn a line and says when it is written. */
export async function openReference(folder) {
  const base = folderFor(folder, 'reference-py')
  const child = spawn('python3', ['-u', fileURLToPath(new URL('reference.py', import.meta.url)), base], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const gone = once(child, 'exit').catch(() => {})
  const ask = async command => {
    child.stdin.write(`${JSON.stringify(command)}\n`)
    const { value, done } = await lines.next()
    if (done) throw new Error('python3 ended')
    return JSON.parse(value)
  }
  await once(child, 'spawn')
  const version = await ask({ do: 'version' })
  return {
    version,
    fill: (id, count) => ask({ do: 'fill', id, turns: many(count, wireTurn) }),
    append: id => ask({ do: 'append', id, turn: wireTurn() }),
    async close() {
      child.stdin.end()
      await gone
    },
  }
}

function folderFor(folder, name) {
  const base = join(folder, name)
  mkdirSync(base)
  return base
}
