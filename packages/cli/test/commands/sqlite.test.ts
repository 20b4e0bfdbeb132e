import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseObjects, temporaryFolder, turnstore } from '../turnstore.ts'

/** The reference implementation's reader, in Python, independent of this code. */
const reader = fileURLToPath(new URL('../../../file/test/reference_store.py', import.meta.url))
const needs = spawnSync('python3', ['--version']).status === 0 ? '' : ' (needs python3)'

const layouts = [
  ['the folder beside the tests of the file store', '../../../file/test/data/reference-layout'],
  ['the folder that is shared with the project', '../../../../../shared/data/reference-layout'],
].map(([name = '', path = '']) => ({ name, path: fileURLToPath(new URL(path, import.meta.url)) }))

/** Every record of a folder, as read by the reference implementation. */
function readByReference(folder: string): unknown {
  return JSON.parse(execFileSync('python3', [reader, 'read', folder], { encoding: 'utf8' }))
}

describe.each(layouts)('what the reference wrote: $name', ({ path }) => {
  const missing = existsSync(path) ? needs : ' (the folder is not beside this clone)'

  it.skipIf(missing !== '')(`is the same to it after a copy to sqlite: and back to file:${missing}`, async () => {
    const folder = temporaryFolder()
    const source = join(folder, 'source')
    cpSync(path, source, { recursive: true })
    // Contains integers beyond 2^53, which only the file store preserves, since it keeps the text.
    rmSync(join(source, 'acme/two-agents.json'), { force: true })
    const database = `sqlite:${join(folder, 'sessions.db')}`
    const back = join(folder, 'back')
    expect(await turnstore(['copy', '--from', `file:${source}`, '--to', database])).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect(await turnstore(['copy', '--from', database, '--to', `file:${back}`])).toMatchObject({ code: 0, stderr: '' })
    const before = readByReference(source)
    expect(Array.isArray(before) && before.length).toBeGreaterThan(2)
    expect(readByReference(back)).toStrictEqual(before)

    const again = await turnstore(['copy', '--from', `file:${source}`, '--to', database, '--json'])
    expect(JSON.parse(again.stdout)).toMatchObject({ added: 0, grown: 0 })
  })
})

describe('sqlite:', () => {
  it('is created only by commands that write', async () => {
    const path = join(temporaryFolder(), 'typo.db')
    const early = await turnstore(['ls', '--store', `sqlite:${path}`])
    expect([early.code, early.stderr]).toStrictEqual([2, `The database ${JSON.stringify(path)} does not exist\n`])
    expect(existsSync(path)).toBe(false)
    const transcript = JSON.stringify({ id: 'a', messages: [{ role: 'user', content: 'Hello' }] })
    expect(await turnstore(['import', '-', '--to', `sqlite:${path}`], { input: transcript })).toMatchObject({ code: 0 })
    const listed = await turnstore(['ls', '--store', `sqlite://${path}`, '--json'])
    expect(parseObjects(listed.stdout).map(({ session_id: id }) => id)).toStrictEqual(['a'])
  })

  it('reports in one sentence that a file is not a database', async () => {
    const other = await turnstore(['ls', '--store', `sqlite:${fileURLToPath(import.meta.url)}`])
    expect([other.code, other.stdout]).toStrictEqual([1, ''])
    expect(other.stderr).toMatch(/^Database ".*": it is not a SQLite database[^\n]*\n$/)
    const none = await turnstore(['ls', '--store', 'sqlite:'])
    expect([none.code, none.stderr]).toStrictEqual([2, 'sqlite: needs a file, such as sqlite:./sessions.db\n'])
  })
})
