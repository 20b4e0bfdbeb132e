import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lines, temporaryFolder, turnstore } from '../turnstore.ts'

/* Before, `import nofile.jsonl --to sqlite:./a.db` created a.db. */
describe('import creates the store when it has a session to import', () => {
  it.each([
    ['a file that does not exist', null, 1],
    ['an empty file', '', 0],
    ['a file without records', '\n\n', 0],
    ['a file that is no JSON', 'hello\nhello\n', 1],
    ['a compressed file', Buffer.from([0x1f, 0x8b, 8, 0]), 1],
    ['a list of messages of no known format', lines({ role: 'x' }), 1],
  ])('not for %s', async (_name, content, exitCode) => {
    const folder = temporaryFolder()
    const file = join(folder, 'a.jsonl')
    if (content !== null) writeFileSync(file, content)
    for (const [scheme, path] of [
      ['sqlite', join(folder, 'a.db')],
      ['file', join(folder, 'a')],
    ] as const) {
      const { code } = await turnstore(['import', file, '--to', `${scheme}:${path}`])
      expect([code, existsSync(path)]).toEqual([exitCode, false])
    }
  })

  it('for the first file that has one', async () => {
    const folder = temporaryFolder()
    const [empty, full] = ['empty.jsonl', 'full.jsonl'].map(name => join(folder, name))
    writeFileSync(empty ?? '', '')
    writeFileSync(full ?? '', lines({ id: 'a', messages: [] }))
    const path = join(folder, 'a.db')
    const { code, stdout } = await turnstore([
      'import',
      'none.jsonl',
      empty ?? '',
      full ?? '',
      '--to',
      `sqlite:${path}`,
    ])
    expect([code, stdout, existsSync(path)]).toEqual([1, '1 session: 1 added, 0 grown, 0 unchanged\n', true])
  })

  it('but refuses a wrong URL before it reads', async () => {
    const { code, stderr } = await turnstore(['import', 'none.jsonl', '--to', 'nope:x'])
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^There is no adapter for nope: URLs[^\n]*\n$/)])
  })
})
