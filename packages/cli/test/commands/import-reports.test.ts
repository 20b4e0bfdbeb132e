import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { messagesFromTurns } from '@turnstore/core'
import { ids, importText, lines, load, parseObject, temporaryFolder, temporaryStore, turnstore } from '../turnstore.ts'

/*
 * Import never loses, alters or mixes up data silently, and its reports are accurate and short.
 */

const said = [
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Hello!' },
]
const unknownRole = 'has an unknown role, not system, developer, user, assistant or tool; kept, but not read'

describe('numeric ids', () => {
  const outOfReach = 'the id is a number that JavaScript cannot represent exactly; write it as a string'

  it('beyond 2^53 that round to the same number do not become one session', async () => {
    const { url, code, stdout, stderr } = await importText(
      [
        '{"id":1234567890123456701,"messages":[{"role":"user","content":"SECRET of ann"}]}',
        '{"id":1234567890123456702,"messages":[{"role":"user","content":"SECRET of ann"},{"role":"assistant"}]}',
      ].join('\n'),
    )
    expect([code, stdout]).toEqual([1, '2 sessions: 0 added, 0 grown, 0 unchanged, 2 left out\n'])
    expect(stderr).toBe(`stdin:1: left out: ${outOfReach}\nstdin:2: left out: ${outOfReach}\n`)
    expect(await ids(url)).toEqual([])
  })

  it.each(['7', '0', '-3', '1.5', '9007199254740991', '9007199254740992'])('%s becomes the session id', async id => {
    const { url, code, stderr } = await importText(`{"id":${id},"messages":[]}`)
    expect([code, stderr]).toEqual([0, ''])
    expect(await ids(url)).toEqual([id])
  })

  it.each([
    '1.0',
    '1e2',
    '-0',
    '1e400',
    '9007199254740993',
    '1234567890123456800',
    '1234567890123456768',
    '0.10000000000000000555',
  ])('%s is left out', async id => {
    // The last of several members with one name counts, and ids in nested objects do not.
    const { url, code, stderr } = await importText(
      `{"metadata":{"id":7},"id":7,"id":${id},"messages":[],"other":{"id":7}}`,
    )
    expect([code, stderr]).toEqual([1, `stdin:1: left out: ${outOfReach}\n`])
    expect(await ids(url)).toEqual([])
  })

  it('are checked in an indented object and in an array too', async () => {
    for (const text of ['{\n  "id": 1.0,\n  "messages": []\n}', '[{"id": 1.0, "messages": []}]']) {
      expect(await importText(text)).toMatchObject({ code: 1, stderr: `stdin:1: left out: ${outOfReach}\n` })
    }
  })
})

describe('records with a session_id', () => {
  it('and messages, but no turns, are transcripts', async () => {
    const { url, code, stdout, stderr } = await importText(
      lines({ session_id: 's1', messages: said, metadata: { lang: 'en' } }, { session_id: 7, messages: said }),
    )
    expect([code, stdout, stderr]).toEqual([0, '2 sessions: 2 added, 0 grown, 0 unchanged\n', ''])
    expect(await ids(url)).toEqual(['7', 's1'])
    const session = await load(url, 's1')
    expect(session?.metadata).toEqual({ lang: 'en' })
    expect(session?.extra).toBeUndefined()
    expect(messagesFromTurns(session?.turns ?? [])).toEqual(said)
  })

  it('that JavaScript cannot represent exactly are left out', async () => {
    const { code, stderr } = await importText('{"session_id":1234567890123456701,"messages":[]}')
    expect([code, stderr]).toEqual([
      1,
      'stdin:1: left out: the id is a number that JavaScript cannot represent exactly; write it as a string\n',
    ])
  })

  it('in a newer version of the wire format are never partly read', async () => {
    const { code, stderr } = await importText(lines({ session_id: 'x', schema_version: 99, messages: said }))
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^stdin:1: left out: .*version 99/)])
  })

  it('without turns, but with unknown members, are no sessions (events became empty sessions)', async () => {
    const events = lines({ session_id: 's', event: 'SECRET' }, { session_id: 's', event: 'SECRET', data: 1 })
    const { url, code, stdout, stderr } = await importText(events)
    expect([code, stdout]).toEqual([1, '0 sessions: 0 added, 0 grown, 0 unchanged\n'])
    expect(stderr).toMatch(/^stdin: has messages of no known format: 2 of 2; nothing of it was imported\. .*\n$/)
    expect(await ids(url)).toEqual([])
    // Beside sessions, once with their number.
    const beside = await importText(lines({ session_id: 't' }) + events + events)
    expect([beside.code, beside.stderr.split('\n')]).toEqual([
      1,
      [
        'stdin:2: left out: neither a transcript { id, messages, metadata } nor an exported session',
        'stdin:3: 3 more from here on are no sessions',
        '',
      ],
    ])
    expect(await ids(beside.url)).toEqual(['t'])
  })

  it('with both turns and messages are reported, and the turns are used', async () => {
    const { url, code, stderr } = await importText(
      lines({ session_id: 's', turns: [{ turn_id: 'a', prompt: 'Hello' }], messages: said }),
    )
    expect([code, stderr]).toEqual([
      0,
      'stdin:1: both turns and messages; the messages are kept, but not read as turns\n',
    ])
    expect(await load(url, 's')).toMatchObject({ turns: [{ turnId: 'a' }] })
  })

  it('that are exports of empty sessions cause no note', async () => {
    const { code, stderr } = await importText(
      lines({ session_id: 's', turns: [], later: 1 }, { session_id: 't' }, { session_id: 'u', metadata: { a: 1 } }),
    )
    expect([code, stderr]).toEqual([0, ''])
  })
})

describe('the format of messages', () => {
  const anthropic = [
    { role: 'user', content: [{ type: 'text', text: 'Tea?' }] },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'x', name: 'stock', input: {} }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'x', content: '2' }] },
  ]
  const uiMessages = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Tea?' }] }]

  it('is recognized (parts of other formats were kept, but not read)', async () => {
    const { code, stderr, url } = await importText(
      lines({ id: 'a', messages: anthropic }, { id: 'b', messages: uiMessages }),
    )
    expect([code, stderr]).toEqual([0, ''])
    expect(await load(url, 'a')).toMatchObject({
      turns: [{ prompt: 'Tea?', toolCalls: [{ toolName: 'stock', result: '2' }], items: { length: 3 } }],
    })
    expect(await load(url, 'b')).toMatchObject({ turns: [{ prompt: 'Tea?' }] })
  })

  it('a record that mixes formats is left out, with the number of each', async () => {
    const { url, code, stderr } = await importText(
      lines({ id: 'a', messages: [...uiMessages, ...anthropic.slice(1)] }, { id: 'b', messages: said }),
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/^stdin:1: left out: its list of messages mixes formats: of 3 messages .*\n$/)
    expect(await ids(url)).toEqual(['b'])
  })

  it('can be chosen', async () => {
    const { url, code } = await importText(lines({ id: 'a', messages: said }), { args: ['--format', 'ai-sdk'] })
    expect(code).toBe(0)
    expect(await load(url, 'a')).toMatchObject({ turns: [{ items: [{ format: 'ai-sdk' }, { format: 'ai-sdk' }] }] })
  })
})

describe('times', () => {
  it('of a transcript are those of the session', async () => {
    const { url, stderr } = await importText(
      lines({ id: 'a', messages: said, created_at: 1_700_000_000, updated_at: '2026-01-02T03:04:05Z' }),
    )
    expect(stderr).toBe('')
    expect(await load(url, 'a')).toMatchObject({
      createdAt: '2023-11-14T22:13:20.000Z',
      updatedAt: '2026-01-02T03:04:05Z',
    })
  })

  it('of its messages are those of its turns, and of the session', async () => {
    const messages = [1, 2, 3].map(day => ({
      id: `m${day}`,
      role: 'user',
      parts: [{ type: 'text', text: 'Tea?' }],
      createdAt: `2026-01-0${day}T00:00:00Z`,
    }))
    const { url } = await importText(lines({ id: 'a', messages, created_at: 'yesterday' }))
    const [first, , last] = messages
    expect(await load(url, 'a')).toMatchObject({
      createdAt: first?.createdAt,
      updatedAt: last?.createdAt,
      turns: messages.map(({ createdAt }) => ({ startedAt: createdAt })),
    })
  })
})

describe('integers beyond 2^53', () => {
  const big = '1234567890123456789'

  it.each([
    ['metadata', `{"id":"s","messages":[],"metadata":{"user":${big},"chat":-${big}}}`, 2],
    [
      'arguments given as an object',
      `{"id":"s","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"n":${big}}}}]}]}`,
      1,
    ],
    ['an array', `{"id":"s","messages":[],"metadata":{"users":[${big},1,${big}]}}`, 2],
    ['a record of the wire format', `{"session_id":"s","turns":[{"turn_id":"a","metadata":{"n": ${big}}}]}`, 1],
    ['an array of records', `[{"id":"s","messages":[],"metadata":{"n":\n${big}}}]`, 1],
  ])('in %s are reported, and the record is imported', async (_name, text, times) => {
    const { url, code, stderr } = await importText(text)
    expect([code, stderr]).toEqual([
      0,
      `stdin:1: integers rounded because JavaScript cannot represent them exactly: ${times}\n`,
    ])
    expect(await ids(url)).toEqual(['s'])
    const { stdout } = await importText(text, { args: ['--json'] })
    expect(parseObject(stdout)).toMatchObject({ problems: [], notes: [{ file: 'stdin', line: 1 }] })
  })

  it('cause no note if they are exact, as fractions and digits in strings do not', async () => {
    const { code, stderr } = await importText(
      '{"id":"s","messages":[{"role":"user","content":"12345678901234567890: 12345678901234567890"}],' +
        '"metadata":{"a":9007199254740993.5,"b":0.30000000000000004,"c":1e300,"d":100000000000000000000,' +
        '"e":9007199254740991}}',
    )
    expect([code, stderr]).toEqual([0, ''])
  })

  it('in a session are reported by export and copy, since they may have been rounded before', async () => {
    const { url } = await importText(
      `{"id":"s","messages":[],"metadata":{"deep":[{"user":${big}}]}}\n` +
        '{"id":"t","messages":[],"metadata":{"n":9007199254740991}}',
    )
    const note = 'Session s has integers beyond 2^53, which may have been rounded when they were read\n'
    const exported = await turnstore(['export'], { url })
    expect([exported.code, exported.stderr]).toEqual([0, note])
    expect(exported.stdout.trim().split('\n')).toHaveLength(2)
    const target = temporaryStore()
    for (const what of ['2 added, 0 grown, 0 unchanged', '0 added, 0 grown, 2 unchanged']) {
      const copied = await turnstore(['copy', '--from', url, '--to', target])
      expect(copied).toEqual({ code: 0, stdout: `2 sessions: ${what}\n`, stderr: note })
    }
  })
})

describe('messages that turns cannot represent', () => {
  const functionCall = { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } }
  const mixed = {
    id: 'mixed',
    messages: [
      { role: 'user', content: 'q' },
      functionCall,
      { role: 'function', name: 'f', content: 'r' },
      { role: 'human', content: 'SECRET' },
      functionCall,
      { role: 'assistant', content: 'x' },
    ],
  }

  it('each kind is reported once, left-out messages first', async () => {
    const { url, code, stderr } = await importText(lines(mixed))
    expect(code).toBe(1)
    expect(stderr.trim().split('\nstdin:1: imported, but ')).toEqual([
      `stdin:1: imported, but messages[3] ${unknownRole}`,
    ])
    expect(await ids(url)).toEqual(['mixed'])
  })

  it('if messages are left out for several reasons, each reason has its count and the first line has the total', async () => {
    const { stderr } = await importText(
      lines({
        id: 's',
        messages: [
          ...said,
          'SECRET',
          { role: 'human', content: 'SECRET' },
          { role: 'tool', tool_call_id: 'a', content: 'SECRET' },
          { role: 'ai', content: 'SECRET' },
        ],
      }),
    )
    expect(stderr.split('\n')).toEqual([
      'stdin:1: imported, but 1 of its 6 messages is left out: messages[2] is not an object',
      `stdin:1: imported, but messages[3] ${unknownRole} (and 1 more like it)`,
      'stdin:1: imported, but messages[4] is the result of a missing tool call; kept, but not read',
      '',
    ])
  })

  it('what is kept, but not read, does not count as left out', async () => {
    const { stderr } = await importText(
      lines({
        id: 's',
        messages: [
          said[0],
          { role: 'assistant', content: 'x', tool_calls: ['SECRET', 'SECRET'] },
          { role: 'assistant', function_call: 'SECRET' },
          { role: 'user', content: { SECRET: 1 } },
        ],
      }),
    )
    expect(stderr.trim().split('\nstdin:1: imported, but ')).toEqual([
      'stdin:1: imported, but messages[1] has tool_calls[0] that is not a call with a name; kept, but not read (and 1 more like it)',
      'messages[2] has a function_call without a name; kept, but not read',
      'messages[3] has content that is not text, a list of parts or null; read as text',
    ])
  })

  const manyKinds = {
    id: 'many',
    messages: [
      ...said,
      'x',
      { role: 'human' },
      { role: 'tool', tool_call_id: 'a' },
      functionCall,
      { role: 'assistant', tool_calls: 'x' },
      { role: 'assistant', tool_calls: ['x'] },
      { role: 'user', content: 7 },
    ],
  }

  it('a record causes at most five lines, and --json lists all problems', async () => {
    const { stderr } = await importText(lines(manyKinds))
    const reports = stderr.trim().split('\n')
    expect(reports).toHaveLength(5)
    expect(reports[0]).toContain('1 of its 9 messages is left out')
    expect(reports[4]).toBe('stdin:1: imported, but has 2 more kinds of problems (listed by --json)')
    const { stdout } = await importText(lines(manyKinds), { args: ['--json'] })
    const { problems } = parseObject(stdout)
    expect(problems).toHaveLength(6)
    expect(JSON.stringify(problems)).not.toContain('more kinds')
  })

  it.each([
    ['names and text', ['human', 'gpt'].map(name => ({ name, text: 'SECRET' }))],
    ['another set of roles', ['human', 'ai'].map(role => ({ role, content: 'SECRET' }))],
  ])('a transcript without a readable message is left out: %s', async (_name, messages) => {
    const { url, code, stdout, stderr } = await importText(lines({ id: 's', messages }, { id: 't', messages: [] }))
    expect([code, stdout]).toEqual([1, '2 sessions: 1 added, 0 grown, 0 unchanged, 1 left out\n'])
    expect(stderr).toBe('stdin:1: left out: its list of messages has messages of no known format: 2 of 2\n')
    expect(await ids(url)).toEqual(['t'])
  })

  it('a transcript with only a system message is imported', async () => {
    const { code, stderr } = await importText(
      lines({ id: 's', messages: [{ role: 'system', content: 'Be kind' }] }, { id: 't', messages: ['SECRET'] }),
    )
    expect([code, stderr]).toEqual([
      1,
      'stdin:2: left out: its list of messages has messages of no known format: 1 of 1\n',
    ])
  })
})

describe('files in an unexpected format', () => {
  it.each([
    ['JSON Lines', '{"id":"a","messages":[]},\n{"id":"b","messages":[]}, \r\n{"id":"c","messages":[]},\n'],
    ['JSON Lines, the last without', '{"id":"a","messages":[]},\n{"id":"b","messages":[]},\n{"id":"c","messages":[]}'],
    [
      'indented objects',
      '{\n"id":"a",\n"messages":[]\n},\n{\n"id":"b",\n"messages":[]\n}\n,\n{\n"id":"c",\n"messages":[]\n},\n',
    ],
    ['an array', '[{"id":"a","messages":[]},{"id":"b","messages":[]},{"id":"c","messages":[]},]'],
  ])('commas after records: %s', async (_name, text) => {
    const { url, code, stdout, stderr } = await importText(text)
    expect([code, stdout, stderr]).toEqual([0, '3 sessions: 3 added, 0 grown, 0 unchanged\n', ''])
    expect(await ids(url)).toEqual(['a', 'b', 'c'])
  })

  it('an object with line breaks after its commas is one record', async () => {
    const { url, code, stderr } = await importText('{"id":"a","metadata":\n{},\n"messages":\n[],\n"model": 1\n}\n')
    expect([code, stderr]).toEqual([0, 'stdin:1: members not imported: model\n'])
    expect(await ids(url)).toEqual(['a'])
  })

  it.each([
    [
      'compressed',
      gzipSync(lines(...Array.from({ length: 500 }, (_, index) => ({ id: `s${index * 7919}`, messages: said })))),
      'compressed with gzip; decompress it first: zcat FILE | turnstore import -',
    ],
    [
      'UTF-16, as Windows writes it',
      Buffer.from(`\uFEFF${lines({ id: 'a', messages: said })}`.repeat(3), 'utf16le'),
      'encoded in UTF-16; convert it to UTF-8 first: iconv -f UTF-16 -t UTF-8 FILE | turnstore import -',
    ],
    [
      'UTF-16, big-endian',
      Buffer.from(`\uFEFF${lines({ id: 'a', messages: said })}`, 'utf16le').swap16(),
      'encoded in UTF-16; convert it to UTF-8 first: iconv -f UTF-16 -t UTF-8 FILE | turnstore import -',
    ],
  ])('%s: reported once, and the next file is read', async (_name, bytes, message) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'a.jsonl.gz'), bytes)
    writeFileSync(join(folder, 'b.jsonl'), lines({ id: 'b', messages: said }))
    const { code, stdout, stderr } = await turnstore(['import', join(folder, 'a.jsonl.gz'), join(folder, 'b.jsonl')], {
      url: temporaryStore(),
    })
    expect([code, stdout]).toEqual([1, '1 session: 1 added, 0 grown, 0 unchanged\n'])
    expect(stderr).toBe(`${join(folder, 'a.jsonl.gz')}: ${message}\n`)
  })

  it('a comment before an array is reported, and the items of the array are imported', async () => {
    const records = Array.from({ length: 40 }, (_, index) => ({ id: `s${index}`, messages: said }))
    const { code, stdout, stderr } = await importText(`// SECRET\n${JSON.stringify(records, null, 2)}\n`)
    expect([code, stdout]).toEqual([1, '41 sessions: 40 added, 0 grown, 0 unchanged, 1 left out\n'])
    expect(stderr).toBe('stdin:1: not valid JSON\n')
  })

  it.each([
    ['an array', (messages: unknown[]) => JSON.stringify(messages)],
    ['an indented array', (messages: unknown[]) => JSON.stringify(messages, null, 2)],
    ['lines', (messages: unknown[]) => lines(...messages)],
  ])('messages outside a record are one session: %s', async (_name, write) => {
    const file = join(temporaryFolder(), 'chat.json')
    const url = temporaryStore()
    for (const [length, what] of [
      [1, '1 added, 0 grown, 0 unchanged'],
      [2, '0 added, 1 grown, 0 unchanged'],
      [2, '0 added, 0 grown, 1 unchanged'],
    ] as const) {
      writeFileSync(file, write(said.slice(0, length)))
      const { code, stdout, stderr } = await turnstore(['import', file], { url })
      expect([code, stdout, stderr]).toEqual([0, `1 session: ${what}\n`, ''])
    }
    const [id = ''] = await ids(url)
    expect(id).toMatch(/^chat\.json~[0-9a-f]{16}#1$/)
    expect(messagesFromTurns((await load(url, id))?.turns ?? [])).toEqual(said)
  })

  it('messages before records: refused as a whole, once, with the numbers', async () => {
    const { url, code, stdout, stderr } = await importText(lines(...said, { id: 'a', messages: said }, said[0]))
    expect([code, stdout]).toEqual([1, '0 sessions: 0 added, 0 grown, 0 unchanged\n'])
    expect(stderr).toBe('stdin: mixes 3 messages or lines of a tool with 1 session; nothing of it was imported\n')
    expect(await ids(url)).toEqual([])
  })

  it('each run of messages between records is reported', async () => {
    const { code, stdout, stderr } = await importText(
      lines({ id: 'a', messages: said }, said[0], 'SECRET', ...said, { id: 'b', role: 'x', messages: said }),
    )
    expect([code, stdout]).toEqual([1, '6 sessions: 2 added, 0 grown, 0 unchanged, 4 left out\n'])
    expect(stderr.split('\n').map(line => line.replace(/; wrap.*/, ''))).toEqual([
      'stdin:2: left out: a single message',
      'stdin:3: left out: not a JSON object',
      'stdin:4: left out: a single message',
      'stdin:5: 1 more from here on is a single message',
      'stdin:6: members not imported: role',
      '',
    ])
  })

  it('a file of another tool: its conversations, and nothing of a file that mixes two', async () => {
    const conversation = (id: string) => ({
      id,
      conversations: [
        { from: 'human', value: 'Tea?' },
        { from: 'gpt', value: 'Three kinds.' },
      ],
    })
    const { url, code, stderr } = await importText(lines(conversation('a'), conversation('b')))
    expect([code, stderr]).toEqual([0, ''])
    expect(await ids(url)).toEqual(['a', 'b'])
    const mixed = await importText(lines(conversation('a'), { type: 'session_meta', payload: { id: 'SECRET' } }))
    expect(mixed).toMatchObject({ code: 1, stdout: '0 sessions: 0 added, 0 grown, 0 unchanged\n' })
    expect(mixed.stderr.split('\n')).toHaveLength(2)
  })

  it('after a record, lines that are not JSON are reported one by one again', async () => {
    const bad = (times: number): string => 'SECRET\n'.repeat(times)
    const { code, stderr } = await importText(
      `${bad(10)}${lines({ id: 'a', messages: [] })}${bad(12)}${lines({ id: 'b', messages: [] })}${bad(11)}`,
    )
    expect(code).toBe(1)
    const reports = stderr.trim().split('\n')
    expect(reports.filter(line => line.endsWith('not valid JSON'))).toHaveLength(30)
    expect(reports.filter(line => !line.endsWith('not valid JSON'))).toEqual([
      'stdin:22: 2 more from here on are not JSON objects',
      'stdin:35: 1 more from here on is not a JSON object',
    ])
  })
})
