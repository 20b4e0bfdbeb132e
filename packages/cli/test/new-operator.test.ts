import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tmpdir } from 'node:os'
import { lines, parseObject, parseObjects, turnstore } from './turnstore.ts'

/*
 * Fifteen tasks of a new operator, who reads `turnstore --help` and `turnstore COMMAND --help` and nothing else. Each
 * command must be in the first, each option in the second, and the command must do the task at the first try.
 */

const folder = mkdtempSync(join(tmpdir(), 'turnstore-operator-'))
const at = (name: string): string => join(folder, name)
const url = `sqlite:${at('sessions.db')}`

const say = (text: string): unknown[] => [
  { role: 'user', content: text },
  { role: 'assistant', content: 'Yes.' },
]

beforeAll(() => {
  writeFileSync(
    at('chats.jsonl'),
    lines(
      { id: 'chat-1', messages: say('Is there tea?'), metadata: { channel: 'web', draft: 'x' } },
      { id: '-chat-2', messages: say('Where is my parcel?'), updated_at: '2020-01-01T00:00:00Z' },
      { id: 'chat-3', messages: [{ role: 'user', content: 'Hello?' }], updated_at: '2026-01-01T00:00:00Z' },
    ),
  )
  writeFileSync(at('acme.jsonl'), lines({ id: 'acme-1', messages: say('Any news?') }))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Shown = (stdout: string) => void

const tasks: readonly (readonly [task: string, args: readonly string[], shown: Shown])[] = [
  [
    '1. put the chats of a file into a new database',
    ['import', at('chats.jsonl'), '--to', url],
    stdout => expect(stdout).toBe('3 sessions: 3 added, 0 grown, 0 unchanged\n'),
  ],
  [
    '2. put those of a customer into a workspace',
    ['import', at('acme.jsonl'), '--to', url, '--workspace', 'acme'],
    stdout => expect(stdout).toContain('1 added'),
  ],
  [
    '3. see which sessions there are',
    ['ls', '--store', url],
    stdout => expect(stdout.trimEnd().split('\n')).toHaveLength(5),
  ],
  [
    '4. find out whether one is running',
    ['ls', '--store', url, '--status', 'running', '--count'],
    stdout => expect(stdout).toBe('1\n'),
  ],
  [
    '5. find those that came over the web',
    ['ls', '--store', url, '--where', 'channel=web', '--json'],
    stdout => expect(parseObjects(stdout).map(({ session_id: id }) => id)).toEqual(['chat-1']),
  ],
  [
    '6. read a whole session',
    ['show', 'chat-1', '--store', url, '--format', 'markdown'],
    stdout => expect(stdout).toContain('Is there tea?'),
  ],
  [
    '7. read one whose id begins with a dash',
    ['show', '--store', url, '--', '-chat-2'],
    stdout => expect(stdout).toContain('Where is my parcel?'),
  ],
  [
    '8. give a session a title',
    ['rename', 'chat-1', 'About tea', '--store', url],
    stdout => expect(stdout).toBe('Renamed chat-1\n'),
  ],
  [
    '9. note that it was reviewed, and remove the draft',
    ['set', 'chat-1', 'reviewed:=true', '--unset', 'draft', '--store', url],
    stdout => expect(stdout).toBe('Changed chat-1\n'),
  ],
  [
    '10. find out how large the store is',
    ['stats', '--store', url, '--json'],
    stdout => expect(parseObject(stdout)).toMatchObject({ sessions: 4, running: 1 }),
  ],
  ['11. look for damage', ['check', '--store', url], stdout => expect(stdout).toBe('4 sessions checked: no damage\n')],
  [
    '12. back the database up',
    ['backup', at('backup.db'), '--store', url],
    () => expect(existsSync(at('backup.db'))).toBe(true),
  ],
  [
    '13. move everything into a folder of files',
    ['copy', '--from', url, '--to', `file:${at('files')}`],
    stdout => expect(stdout).toBe('4 sessions: 4 added, 0 grown, 0 unchanged\n'),
  ],
  [
    '14. see what is older than a year, without deleting it',
    ['prune', '--older-than', '365d', '--dry-run', '--store', url],
    stdout => expect(stdout).toContain('Would delete -chat-2\n'),
  ],
  [
    '15. delete all that a customer has, in a script',
    ['rm', '--workspace', 'acme', '--yes', '--store', url],
    stdout => expect(stdout).toBe('Deleted acme-1\n1 session deleted\n'),
  ],
]

describe('a new operator does at the first try', () => {
  it.each(tasks)('%s', async (_task, args, shown) => {
    const [command = ''] = args
    expect((await turnstore(['--help'])).stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'))
    const help = (await turnstore([command, '--help'])).stdout
    // The help writes the bare -- in a sentence.
    const options = args.filter(arg => arg.startsWith('--'))
    expect(options.filter(option => !help.includes(`${option} `))).toEqual([])
    const { code, stdout, stderr } = await turnstore(args)
    expect([code, stderr]).toEqual([0, ''])
    shown(stdout)
  })
})
