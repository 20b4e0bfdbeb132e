import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { messagesFromTurns } from '@turnstore/core'
import { ids, importText, lines, load, parseObject, temporaryFolder, temporaryStore, turnstore } from '../turnstore.ts'

/*
 * Nothing of a file is lost, altered or mixed up without a word, and what is told is true and short.
 */

const said = [
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Hello!' },
]
const unknownRole = 'has an unknown role, not system, developer, user, assistant or tool'

describe('ids that are numbers', () => {
  const outOfReach = 'has an id that is a number which JavaScript cannot hold exactly; write it as a text'

  it('two beyond 2^53 that JavaScript takes for one do not become one session', async () => {
    const { url, code, stdout, stderr } = await importText(
      [
        '{"id":1234567890123456701,"messages":[{"role":"user","content":"SECRET of ann"}]}',
        '{"id":1234567890123456702,"messages":[{"role":"user","content":"SECRET of ann"},{"role":"assistant"}]}',
      ].join('\n'),
    )
    expect([code, stdout]).toEqual([1, '2 sessions: 0 added, 0 grown, 0 unchanged, 2 left out\n'])
    expect(stderr).toBe(`stdin:1: is left out: ${outOfReach}\nstdin:2: is left out: ${outOfReach}\n`)
    expect(await ids(url)).toEqual([])
  })

  it.each(['7', '0', '-3', '1.5', '9007199254740991', '9007199254740992'])('%s is called that', async id => {
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
    // Of members with one name the last counts, and of other objects none.
    const { url, code, stderr } = await importText(
      `{"metadata":{"id":7},"id":7,"id":${id},"messages":[],"other":{"id":7}}`,
    )
    expect([code, stderr]).toEqual([1, `stdin:1: is left out: ${outOfReach}\n`])
    expect(await ids(url)).toEqual([])
  })

  it('in an indented object and in an array too', async () => {
    for (const text of ['{\n  "id": 1.0,\n  "messages": []\n}', '[{"id": 1.0, "messages": []}]']) {
      expect(await importText(text)).toMatchObject({ code: 1, stderr: `stdin:1: is left out: ${outOfReach}\n` })
    }
  })
})

describe('records with a session_id', () => {
  it('and messages but no turns are transcripts', async () => {
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

  it('and a number for it that JavaScript cannot hold are left out', async () => {
    const { code, stderr } = await importText('{"session_id":1234567890123456701,"messages":[]}')
    expect([code, stderr]).toEqual([
      1,
      'stdin:1: is left out: has an id that is a number which JavaScript cannot hold exactly; write it as a text\n',
    ])
  })

  it('and messages, in a newer version of the wire format, are not half read', async () => {
    const { code, stderr } = await importText(lines({ session_id: 'x', schema_version: 99, messages: said }))
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^stdin:1: is left out: .*version 99/)])
  })

  it('without turns, but with members that might hold them, are told', async () => {
    const { url, code, stderr } = await importText(
      lines({ session_id: 's', history: ['SECRET'], conversation: 'SECRET' }, { session_id: 't', messages: 'SECRET' }),
    )
    expect([code, stderr]).toEqual([
      0,
      'stdin:1: has no turns, but members that are kept without being read as turns: history, conversation\n' +
        'stdin:2: has no turns, but members that are kept without being read as turns: messages\n',
    ])
    expect(await load(url, 's')).toMatchObject({ turns: [], extra: { history: ['SECRET'] } })
  })

  it('and both turns and messages are told: the turns count', async () => {
    const { url, code, stderr } = await importText(
      lines({ session_id: 's', turns: [{ turn_id: 'a', prompt: 'Hello' }], messages: said }),
    )
    expect([code, stderr]).toEqual([0, 'stdin:1: has turns, so its messages are kept without being read as turns\n'])
    expect(await load(url, 's')).toMatchObject({ turns: [{ turnId: 'a' }] })
  })

  it('that have no turns, as an export of an empty session has none, are told nothing', async () => {
    const { code, stderr } = await importText(
      lines({ session_id: 's', turns: [], later: 1 }, { session_id: 't' }, { session_id: 'u', metadata: { a: 1 } }),
    )
    expect([code, stderr]).toEqual([0, ''])
  })
})

describe('tool calls', () => {
  it('as other formats have them, in parts, are told and kept', async () => {
    const messages = [
      { role: 'user', content: [{ type: 'text', text: 'Tea?' }] },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'x', name: 'stock', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'x', content: 'SECRET' }, { type: 'image_url' }] },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'y', name: 'stock', input: {} }] },
    ]
    const { code, stderr, url } = await importText(lines({ id: 'a', messages }))
    expect(code).toBe(0)
    expect(stderr).toBe(
      'stdin:1: has parts that are tool calls of another format, kept but not read as such: tool_use, tool_result\n',
    )
    expect(JSON.parse((await turnstore(['show', 'a', '--format', 'messages'], { url })).stdout)).toEqual(messages)
  })
})

describe('whole numbers beyond 2^53', () => {
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
  ])('in %s are told, and the record goes in', async (_name, text, times) => {
    const { url, code, stderr } = await importText(text)
    expect([code, stderr]).toEqual([
      0,
      `stdin:1: has whole numbers that JavaScript cannot hold exactly and that are rounded: ${times}\n`,
    ])
    expect(await ids(url)).toEqual(['s'])
    const { stdout } = await importText(text, { args: ['--json'] })
    expect(parseObject(stdout)).toMatchObject({ problems: [], notes: [{ file: 'stdin', line: 1 }] })
  })

  it('that are held exactly, fractions and digits in a text are told nothing of', async () => {
    const { code, stderr } = await importText(
      '{"id":"s","messages":[{"role":"user","content":"12345678901234567890: 12345678901234567890"}],' +
        '"metadata":{"a":9007199254740993.5,"b":0.30000000000000004,"c":1e300,"d":100000000000000000000,' +
        '"e":9007199254740991}}',
    )
    expect([code, stderr]).toEqual([0, ''])
  })

  it('in a session are told by export and copy, since they may have been rounded before', async () => {
    const { url } = await importText(
      `{"id":"s","messages":[],"metadata":{"deep":[{"user":${big}}]}}\n` +
        '{"id":"t","messages":[],"metadata":{"n":9007199254740991}}',
    )
    const note = 'Session s has whole numbers beyond 2^53, which may have been rounded when they were read\n'
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

describe('messages that turns cannot hold', () => {
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

  it('each kind is told once, those that are left out first', async () => {
    const { url, code, stderr } = await importText(lines(mixed))
    expect(code).toBe(1)
    expect(stderr.trim().split('\nstdin:1: is imported, but ')).toEqual([
      `stdin:1: is imported, but 1 of its 6 messages is left out: messages[3] ${unknownRole}`,
      'messages[1] has a legacy function_call; imported as a tool call (and 1 more such)',
      'messages[2] has the legacy role function; imported as the result of a tool call',
    ])
    expect(await ids(url)).toEqual(['mixed'])
  })

  it('of messages left out for several reasons, each reason has its count, and the first line all', async () => {
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
      'stdin:1: is imported, but 4 of its 6 messages are left out: messages[2] is not an object',
      `stdin:1: is imported, but messages[3] ${unknownRole}; left out (and 1 more such)`,
      'stdin:1: is imported, but messages[4] is the result of a missing tool call; left out',
      '',
    ])
  })

  it('a part of a message that is left out is no message that is', async () => {
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
    expect(stderr.trim().split('\nstdin:1: is imported, but ')).toEqual([
      'stdin:1: is imported, but messages[1] has tool_calls[0] that is not an object; left out (and 1 more such)',
      'messages[2] has a function_call without a name; left out',
      'messages[3] has content that is not text, a list of parts or null; converted to text',
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

  it('there are at most five lines for a record, and --json has all', async () => {
    const { stderr } = await importText(lines(manyKinds))
    const told = stderr.trim().split('\n')
    expect(told).toHaveLength(5)
    expect(told[0]).toContain('3 of its 9 messages are left out')
    expect(told[4]).toBe('stdin:1: is imported, but has 3 more kinds of problems, which --json tells')
    const { stdout } = await importText(lines(manyKinds), { args: ['--json'] })
    const { problems } = parseObject(stdout)
    expect(problems).toHaveLength(7)
    expect(JSON.stringify(problems)).not.toContain('more kinds')
  })

  it.each([
    ['from and value', ['human', 'gpt'].map(from => ({ from, value: 'SECRET' }))],
    ['another set of roles', ['human', 'ai'].map(role => ({ role, content: 'SECRET' }))],
  ])('a transcript of which nothing could be read is left out: %s', async (_name, messages) => {
    const { url, code, stdout, stderr } = await importText(lines({ id: 's', messages }, { id: 't', messages: [] }))
    expect([code, stdout]).toEqual([1, '2 sessions: 1 added, 0 grown, 0 unchanged, 1 left out\n'])
    expect(stderr).toBe(
      `stdin:1: is left out: none of its 2 messages could be read; messages[0] ${unknownRole} (and 1 more such)\n`,
    )
    expect(await ids(url)).toEqual(['t'])
  })

  it('one with nothing but what its model was told is no such transcript', async () => {
    const { code, stderr } = await importText(
      lines({ id: 's', messages: [{ role: 'system', content: 'Be kind' }] }, { id: 't', messages: ['SECRET'] }),
    )
    expect([code, stderr]).toEqual([
      1,
      'stdin:2: is left out: its only message could not be read; messages[0] is not an object\n',
    ])
  })
})

describe('files that are not what they seem', () => {
  it.each([
    ['JSON Lines', '{"id":"a","messages":[]},\n{"id":"b","messages":[]}, \r\n{"id":"c","messages":[]},\n'],
    ['JSON Lines, the last without', '{"id":"a","messages":[]},\n{"id":"b","messages":[]},\n{"id":"c","messages":[]}'],
    [
      'indented objects',
      '{\n"id":"a",\n"messages":[]\n},\n{\n"id":"b",\n"messages":[]\n}\n,\n{\n"id":"c",\n"messages":[]\n},\n',
    ],
    ['an array', '[{"id":"a","messages":[]},{"id":"b","messages":[]},{"id":"c","messages":[]},]'],
  ])('commas behind the records: %s', async (_name, text) => {
    const { url, code, stdout, stderr } = await importText(text)
    expect([code, stdout, stderr]).toEqual([0, '3 sessions: 3 added, 0 grown, 0 unchanged\n', ''])
    expect(await ids(url)).toEqual(['a', 'b', 'c'])
  })

  it('an object that is broken off at its commas is read as one', async () => {
    const { url, code, stderr } = await importText('{"id":"a","metadata":\n{},\n"messages":\n[],\n"model": 1\n}\n')
    expect([code, stderr]).toEqual([0, 'stdin:1: has members that are not imported: model\n'])
    expect(await ids(url)).toEqual(['a'])
  })

  it.each([
    [
      'compressed',
      gzipSync(lines(...Array.from({ length: 500 }, (_, index) => ({ id: `s${index * 7919}`, messages: said })))),
      'is compressed (gzip); unpack it first, as in zcat FILE | turnstore import -',
    ],
    [
      'UTF-16, as Windows writes it',
      Buffer.from(`\uFEFF${lines({ id: 'a', messages: said })}`.repeat(3), 'utf16le'),
      'is text in UTF-16; turn it into UTF-8 first, as in iconv -f UTF-16 -t UTF-8 FILE | turnstore import -',
    ],
    [
      'UTF-16, the other way round',
      Buffer.from(`\uFEFF${lines({ id: 'a', messages: said })}`, 'utf16le').swap16(),
      'is text in UTF-16; turn it into UTF-8 first, as in iconv -f UTF-16 -t UTF-8 FILE | turnstore import -',
    ],
  ])('%s: told once, and the next file is read', async (_name, bytes, message) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'a.jsonl.gz'), bytes)
    writeFileSync(join(folder, 'b.jsonl'), lines({ id: 'b', messages: said }))
    const { code, stdout, stderr } = await turnstore(['import', join(folder, 'a.jsonl.gz'), join(folder, 'b.jsonl')], {
      url: temporaryStore(),
    })
    expect([code, stdout]).toEqual([1, '1 session: 1 added, 0 grown, 0 unchanged\n'])
    expect(stderr).toBe(`${join(folder, 'a.jsonl.gz')}: ${message}\n`)
  })

  it('a comment in front of an array is told, and the items of the array go in', async () => {
    const records = Array.from({ length: 40 }, (_, index) => ({ id: `s${index}`, messages: said }))
    const { code, stdout, stderr } = await importText(`// SECRET\n${JSON.stringify(records, null, 2)}\n`)
    expect([code, stdout]).toEqual([1, '41 sessions: 40 added, 0 grown, 0 unchanged, 1 left out\n'])
    expect(stderr).toBe('stdin:1: is no JSON\n')
  })

  it.each([
    ['an array', (messages: unknown[]) => JSON.stringify(messages), 1, 1],
    ['an indented array', (messages: unknown[]) => JSON.stringify(messages, null, 2), 2, 6],
    ['lines', (messages: unknown[]) => lines(...messages), 1, 2],
  ])('messages that are in no record are told once, with what to do: %s', async (_name, write, first, second) => {
    const advice =
      'is left out: is a single message; ' +
      'wrap those of a conversation in one record: { "id": "chat-1", "messages": [ … ] }'
    const messages = Array.from({ length: 20 }, () => said).flat()
    const { code, stdout, stderr } = await importText(write(messages))
    expect([code, stdout]).toEqual([1, '40 sessions: 0 added, 0 grown, 0 unchanged, 40 left out\n'])
    expect(stderr).toBe(
      `stdin:${first}: ${advice}\nstdin:${second}: and 39 more from here on that are single messages\n`,
    )
    expect((await importText(write(said.slice(0, 1)))).stderr).toBe(`stdin:${first}: ${advice}\n`)
  })

  it('messages between records are told for each row of them', async () => {
    const { code, stdout, stderr } = await importText(
      lines(...said, { id: 'a', messages: said }, said[0], 'SECRET', ...said, { id: 'b', role: 'x', messages: said }),
    )
    expect([code, stdout]).toEqual([1, '8 sessions: 2 added, 0 grown, 0 unchanged, 6 left out\n'])
    expect(stderr.split('\n').map(line => line.replace(/; wrap.*/, ''))).toEqual([
      'stdin:1: is left out: is a single message',
      'stdin:2: and 1 more from here on that is a single message',
      'stdin:4: is left out: is a single message',
      'stdin:5: is left out: is no JSON object',
      'stdin:6: is left out: is a single message',
      'stdin:7: and 1 more from here on that is a single message',
      'stdin:8: has members that are not imported: role',
      '',
    ])
  })

  it('after a record, lines that are no JSON are told one by one again', async () => {
    const bad = (times: number): string => 'SECRET\n'.repeat(times)
    const { code, stderr } = await importText(
      `${bad(10)}${lines({ id: 'a', messages: [] })}${bad(12)}${lines({ id: 'b', messages: [] })}${bad(11)}`,
    )
    expect(code).toBe(1)
    const told = stderr.trim().split('\n')
    expect(told.filter(line => line.endsWith('is no JSON'))).toHaveLength(30)
    expect(told.filter(line => !line.endsWith('is no JSON'))).toEqual([
      'stdin:22: and 2 more from here on that are no JSON objects',
      'stdin:35: and 1 more from here on that is no JSON object',
    ])
  })
})
