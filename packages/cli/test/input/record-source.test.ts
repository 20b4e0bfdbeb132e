import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { isValidId } from '@turnstore/core/adapter'
import { describe, expect, it } from 'vitest'
import { ids, importText, lines, temporaryFolder, temporaryStore, turnstore } from '../turnstore.ts'

/*
 * The id given to a transcript without one is stable across runs and different for every source.
 */

const opening = { role: 'user', content: 'Hello' }
const short = { messages: [opening] }
const long = { messages: [opening, { role: 'assistant', content: 'Hello!' }] }

describe('transcripts without an id', () => {
  it('in two files with the same name are two sessions (they were one, "grown")', async () => {
    const folder = temporaryFolder()
    const files = ['a', 'b'].map(name => join(folder, name, 'log.jsonl'))
    for (const [index, file] of files.entries()) {
      mkdirSync(join(file, '..'))
      writeFileSync(file, lines(index === 0 ? short : long, { ...long, id: null }))
    }
    const url = temporaryStore()
    const first = await turnstore(['import', ...files], { url })
    expect(first).toMatchObject({ code: 0, stdout: '4 sessions: 4 added, 0 grown, 0 unchanged\n' })
    const names = await ids(url)
    for (const name of names) expect(name).toMatch(/^log\.jsonl~[0-9a-f]{16}#[12]$/)
    for (const name of names) expect(first.stderr).toContain(`: no id; imported as ${name}\n`)
    expect((await turnstore(['import', ...files], { url })).stdout).toContain('0 added, 0 grown, 4 unchanged')
  })

  it('are recognized through another spelling of the path, through a link, and after they have grown', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'log.jsonl')
    writeFileSync(file, lines(short))
    symlinkSync(file, join(folder, 'link'))
    const url = temporaryStore()
    const spellings = [file, `${folder}/./log.jsonl`, relative(process.cwd(), file), join(folder, 'link')]
    for (const spelling of spellings) await turnstore(['import', spelling], { url })
    expect(await ids(url)).toHaveLength(1)
    writeFileSync(file, lines(long))
    expect((await turnstore(['import', file], { url })).stdout).toContain('0 added, 1 grown')
  })

  it('from stdin are named by their content, whatever its formatting', async () => {
    const { url } = await importText(lines(short))
    expect((await importText(lines(long), { url })).stdout).toContain('1 added, 0 grown')
    expect((await importText(`${JSON.stringify(long, null, 2)}\n`, { url })).stdout).toContain('1 unchanged')
    const names = await ids(url)
    expect(names).toHaveLength(2)
    for (const name of names) expect(name).toMatch(/^stdin~[0-9a-f]{16}$/)
  })

  it.each([
    ['is too long', `${'é'.repeat(120)}.jsonl`],
    ['has a control character', 'a\u0001b'],
  ])('of a file whose name %s have a name all the same', async (_what, name) => {
    const file = join(temporaryFolder(), name)
    writeFileSync(file, lines(short))
    const url = temporaryStore()
    expect(await turnstore(['import', file], { url })).toMatchObject({ code: 0 })
    const names = await ids(url)
    expect(names.filter(isValidId)).toHaveLength(1)
  })

  it('refuses stdin given twice', async () => {
    expect(await turnstore(['import', '-', '-'], { url: temporaryStore(), input: lines(short) })).toEqual({
      code: 2,
      stdout: '',
      stderr: 'stdin can be read only once; use - once\n',
    })
  })

  it('have no directory names in their id, which may be private', async () => {
    const file = join(temporaryFolder(), 'log.jsonl')
    writeFileSync(file, lines(short))
    const url = temporaryStore()
    await turnstore(['import', file], { url })
    expect((await ids(url))[0]).not.toContain('turnstore-cli-')
  })
})
