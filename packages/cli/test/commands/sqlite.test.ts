import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseObjects, temporaryFolder, turnstore } from '../turnstore.ts'

/** The reference's reader: Python, which knows nothing of ours. */
const reader = fileURLToPath(new URL('../../../file/test/reference_store.py', import.meta.url))
const needs = spawnSync('python3', ['--version']).status === 0 ? '' : ' (needs python3)'

const layouts = [
  ['the folder beside the tests of the file store', '../../../file/test/data/reference-layout'],
  ['the folder that is shared with the project', '../../../../../shared/data/reference-layout'],
].map(([name = '', path = '']) => ({ name, path: fileURLToPath(new URL(path, import.meta.url)) }))

/** Every record of a folder as the reference reads it. */
function readByReference(folder: string): unknown {
  return JSON.parse(execFileSync('python3', [reader, 'read', folder], { encoding: 'utf8' }))
}

describe.each(layouts)('what the reference wrote: $name', ({ path }) => {
  const missing = existsSync(path) ? needs : ' (the folder is not beside this clone)'

  it.skipIf(missing !== '')(`is the same to it after a copy to sqlite: and back to file:${missing}`, async () => {
    const folder = temporaryFolder()
    const source = join(folder, 'source')
    cpSync(path, source, { recursive: true })
    // It has integers beyond 2^53, which no JavaScript number holds: only the file store, which keeps the text, keeps them.
    rmSync(join(source, 'acme/handed-over.json'), { force: true })
    const database = `sqlite:${join(folder, 'sessions.db')}`
    const back = join(folder, 'back')
    expect(await turnstore(['copy', '--from', `file:${source}`, '--to', database])).toMatchObject({ code: 0, stderr: '' })
    expect(await turnstore(['copy', '--from', database, '--to', `file:${back}`])).toMatchObject({ code: 0, stderr: '' })
    const before = readByReference(source)
    expect(Array.isArray(before) && before.length).toBeGreaterThan(2)
    expect(readByReference(back)).toStrictEqual(before)

    const again = await turnstore(['copy', '--from', `file:${source}`, '--to', database, '--json'])
    expect(JSON.parse(again.stdout)).toMatchObject({ added: 0, grown: 0 })
  })
})

describe('sqlite:', () => {
  it('is created by what is written to it, and by nothing else', async () => {
    const path = join(temporaryFolder(), 'typo.db')
    const early = await turnstore(['ls', '--store', `sqlite:${path}`])
    expect([early.code, early.stderr]).toStrictEqual([2, `There is no database ${JSON.stringify(path)}\n`])
    expect(existsSync(path)).toBe(false)
    const transcript = JSON.stringify({ id: 'a', messages: [{ role: 'user', content: 'Hello' }] })
    expect(await turnstore(['import', '-', '--to', `sqlite:${path}`], { input: transcript })).toMatchObject({ code: 0 })
    const listed = await turnstore(['ls', '--store', `sqlite://${path}`, '--json'])
    expect(parseObjects(listed.stdout).map(({ sessionId }) => sessionId)).toStrictEqual(['a'])
  })

  it('that is no database is told in one sentence', async () => {
    const other = await turnstore(['ls', '--store', `sqlite:${fileURLToPath(import.meta.url)}`])
    expect([other.code, other.stdout]).toStrictEqual([1, ''])
    expect(other.stderr).toMatch(/^Database ".*": it is not a SQLite database[^\n]*\n$/)
    const none = await turnstore(['ls', '--store', 'sqlite:'])
    expect([none.code, none.stderr]).toStrictEqual([2, 'sqlite: needs a file, as in sqlite:./sessions.db\n'])
  })
})
