import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import stringWidth from 'string-width'
import type { SessionInput } from '@turnstore/core'
import { openStore } from 'turnstore'
import { describe, expect, it } from 'vitest'
import { progressLine } from '../../src/output/progress-line.ts'
import { ids, lines, temporaryFolder, temporaryStore, turnstore } from '../turnstore.ts'

const sessions: SessionInput[] = [
  {
    sessionId: 'support',
    workspaceId: 'acme',
    agentId: 'front-desk',
    updatedAt: '2026-01-03T10:05:00.123Z',
    metadata: { title: 'Where is my parcel? It has been a week' },
    turns: [{ turnId: 'a', prompt: 'Where is it?\nIt was to come on Monday.', status: 'running' }],
  },
  {
    sessionId: '日本語',
    workspaceId: 'acme',
    updatedAt: '2026-01-02T10:05:00Z',
    metadata: { ended: true },
    turns: [{ turnId: 'a', prompt: 'お茶はありますか', status: 'error' }],
  },
]
const uuid: SessionInput = {
  sessionId: '0b0b6a5e-6f3a-4d59-9f0c-1f1b8b0f7a11',
  updatedAt: '2026-01-01T10:05:00Z',
  turns: [{ turnId: 'a', prompt: 'Is there tea?' }],
}

async function filled(...more: SessionInput[]): Promise<string> {
  const url = temporaryStore()
  await using store = await openStore(url)
  for (const session of [...sessions, ...more]) await store.saveSession(session)
  return url
}

describe('ls on a terminal', () => {
  const shown = async (columns: number | undefined, ...more: SessionInput[]): Promise<string> => {
    const terminal = columns === undefined ? {} : { columns }
    return (await turnstore(['ls'], { url: await filled(...more), ...terminal, env: { NO_COLOR: '1' } })).stdout
  }

  it('of 120 columns', async () => {
    expect(await shown(120)).toMatchInlineSnapshot(`
      "SESSION  WORKSPACE  AGENT       STATUS        TURNS  UPDATED               TITLE                            LAST PROMPT
      support  acme       front-desk  running           1  2026-01-03T10:05:00Z  Where is my parcel? It has bee…  Where is it…
      日本語   acme       -           error, ended      1  2026-01-02T10:05:00Z  -                                お茶はあり…
      "
    `)
  })

  it('of 80 columns', async () => {
    expect(await shown(80)).toMatchInlineSnapshot(`
      "SESSION  STATUS        TURNS  UPDATED               TITLE           LAST PROMPT
      support  running           1  2026-01-03T10:05:00Z  Where is my p…  Where is it…
      日本語   error, ended      1  2026-01-02T10:05:00Z  -               お茶はあり…
      "
    `)
  })

  it('of 40 columns', async () => {
    expect(await shown(40)).toMatchInlineSnapshot(`
      "SESSION  STATUS        TITLE
      support  running       Where is my parc…
      日本語   error, ended  -
      "
    `)
  })

  it('of 40 columns, with ids that leave no room for columns', async () => {
    expect(await shown(40, uuid)).toMatchInlineSnapshot(`
      "support
        acme, front-desk, running, 1 turn
        2026-01-03T10:05:00Z
        Where is my parcel? It has been a week
        Where is it? It was to come on Monday.
      日本語
        acme, error, ended, 1 turn
        2026-01-02T10:05:00Z, お茶はありますか
      0b0b6a5e-6f3a-4d59-9f0c-1f1b8b0f7a11
        success, 1 turn, 2026-01-01T10:05:00Z
        Is there tea?
      "
    `)
  })

  it('or without one, in full', async () => {
    expect(await shown(undefined)).toMatchInlineSnapshot(`
      "SESSION  WORKSPACE  AGENT       STATUS        TURNS  UPDATED                   TITLE                                   LAST PROMPT
      support  acme       front-desk  running           1  2026-01-03T10:05:00.123Z  Where is my parcel? It has been a week  Where is it? It was to come on Monday.
      日本語   acme       -           error, ended      1  2026-01-02T10:05:00Z      -                                       お茶はありますか
      "
    `)
  })

  it('has colours, which change nothing else', async () => {
    const url = await filled(uuid)
    for (const columns of [40, 80]) {
      const plain = await turnstore(['ls'], { url, columns, env: { NO_COLOR: '1' } })
      const dumb = await turnstore(['ls'], { url, columns, env: { TERM: 'dumb' } })
      const coloured = await turnstore(['ls'], { url, columns })
      expect(dumb.stdout).toBe(plain.stdout)
      expect(coloured.stdout).toContain('\u001b[')
      expect(stripVTControlCharacters(coloured.stdout)).toBe(plain.stdout)
    }
  })
})

it('show wraps its overview to a terminal, and has colours there', async () => {
  const url = await filled({
    sessionId: 's',
    turns: [
      {
        turnId: 'a',
        prompt: 'Where is the parcel that I ordered on Monday of last week?',
        toolCalls: [{ callId: 'c', toolName: 'track', arguments: { id: 7 }, status: 'error', error: 'no such parcel' }],
        responseContent: 'I cannot find it. Could you tell me its number, please?',
      },
    ],
  })
  const plain = await turnstore(['show', 's'], { url, columns: 40, env: { NO_COLOR: '1' } })
  expect(plain.stdout).toMatchInlineSnapshot(`
    "s
    1 turn, 1 tool call, 0 agent transitions

    1. a
       > Where is the parcel that I ordered
         on Monday of last week?
       * track {"id":7} = [error] no such
         parcel
       < I cannot find it. Could you tell me
         its number, please?
    "
  `)
  const coloured = await turnstore(['show', 's'], { url, columns: 40 })
  expect(coloured.stdout).toContain('\u001b[31m')
  expect(stripVTControlCharacters(coloured.stdout)).toBe(plain.stdout)
})

describe.each([40, 80])('on a terminal of %i columns', columns => {
  it('no line of any table, figure or help is wider', async () => {
    const url = await filled(uuid)
    const names = ['import', 'ls', 'show', 'stats', 'export', 'copy', 'backup', 'check', 'set', 'rename', 'rm', 'prune']
    const runs = [['ls'], ['stats'], ['--help'], ...names.map(name => [name, '--help'])]
    for (const args of runs) {
      const { code, stdout } = await turnstore(args, { url, columns, env: { NO_COLOR: '1' } })
      expect(code).toBe(0)
      // Examples stay whole, so that they can be copied; so does a single word.
      const wide = stdout
        .split('\n')
        .filter(line => stringWidth(line) > columns && !/^ +\$ /.test(line) && line.trim().includes(' '))
      expect([args, wide]).toEqual([args, []])
    }
  })

  it('the progress fits', () => {
    const verbs = ['Copying', 'Importing chats.jsonl', `Importing /var/data/${'日本語'.repeat(40)}.jsonl`]
    for (const verb of verbs) {
      for (const [share, done, eta] of [
        [0, 0, Infinity],
        [0.123, 5, 7],
        [0.5, 1_234_567, 754],
        [1, 1_234_567, 0],
      ] as const) {
        const line = progressLine({ verb, share, sessions: done, eta, columns })
        expect(stringWidth(line)).toBeLessThan(columns)
        expect(line).toContain(`${Math.floor(share * 100)}%`)
      }
    }
  })
})

it('the progress has a bar if there is room for one', () => {
  const line = { verb: 'Importing chats.jsonl', share: 0.5, sessions: 1234, eta: 75 }
  expect(progressLine({ ...line, columns: 80 })).toMatchInlineSnapshot(
    `"Importing chats.jsonl [============-----------] 50%, 1,234 sessions, 1m15s left"`,
  )
  expect(progressLine({ ...line, columns: 40 })).toMatchInlineSnapshot(`"50%, 1,234 sessions, 1m15s left"`)
})

describe('import on a terminal', () => {
  it('from - says what it waits for', async () => {
    const input = lines({ id: 'a', messages: [] })
    const { code, stderr } = await turnstore(['import', '-'], { url: 'memory:', input, columns: 80 })
    expect([code, stderr]).toEqual([0, 'Waiting for records; end with Ctrl-D\n'])
    expect((await turnstore(['import', '-'], { url: 'memory:', input })).stderr).toBe('')
  })

  it('shows progress that never reaches the last column', async () => {
    const file = join(temporaryFolder(), 'chats.jsonl')
    writeFileSync(file, lines(...Array.from({ length: 300 }, (_, index) => ({ id: `s${index}`, messages: [] }))))
    const { stderr } = await turnstore(['import', file], { url: 'memory:', columns: 40 })
    // The bar goes back to the first column.
    const shown = stderr
      .replaceAll('\u001b[1G', '\n')
      .split(/[\r\n]/)
      .map(stripVTControlCharacters)
    expect(shown.some(line => line.includes('%'))).toBe(true)
    expect(shown.filter(line => stringWidth(line) >= 40)).toEqual([])
  })
})

describe('on a terminal, a deletion of more than what was named', () => {
  it.each([
    ['rm', ['rm', '--workspace', 'acme'], 'Delete 2 sessions? [y/N] '],
    ['rm --where', ['rm', '--where', 'ended:=true'], 'Delete 1 session? [y/N] '],
    ['prune', ['prune', '--ended'], 'Delete 1 session? [y/N] '],
  ])('is done only if you say yes: %s', async (_name, args, question) => {
    const url = await filled()
    for (const [input, end] of [
      ['', '\n'],
      ['n\n', ''],
      ['\n', ''],
    ]) {
      const { code, stdout, stderr } = await turnstore(args, { url, input: input ?? '', columns: 80 })
      expect([input, code, stdout, stderr]).toEqual([input, 1, '', `${question}${end}Nothing was deleted\n`])
      expect(await ids(url)).toHaveLength(2)
    }
    const { code, stderr } = await turnstore(args, { url, input: 'y\n', columns: 80 })
    expect([code, stderr]).toEqual([0, question])
    expect((await ids(url)).length).toBeLessThan(2)
  })

  it.each<[string[], number | undefined]>([
    [['rm', '--workspace', 'acme', '--yes'], 80],
    [['rm', 'support'], 80],
    [['prune', '--ended', '--yes'], 80],
    [['rm', '--workspace', 'acme'], undefined],
  ])('is not asked about with --yes, with ids, or without a terminal: %j', async (args, columns) => {
    const url = await filled()
    const { code, stderr } = await turnstore(args, { url, ...(columns === undefined ? {} : { columns }) })
    expect([code, stderr]).toEqual([0, ''])
    expect((await ids(url)).length).toBeLessThan(2)
  })
})
