import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openStore } from 'turnstore'
import { describe, expect, it } from 'vitest'
import { messagesFromTurns } from '@turnstore/core'
import {
  finished,
  ids,
  importText,
  lines,
  load,
  parseObject,
  parseObjects,
  start,
  temporaryFolder,
  temporaryStore,
  turnstore,
} from '../turnstore.ts'

const airline = fileURLToPath(new URL('../../../../../shared/data/airline-support-chats.jsonl', import.meta.url))

const hello = {
  id: 'hello',
  messages: [
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'Hello!' },
  ],
  metadata: { lang: 'en' },
}
const calling = {
  id: 'calling',
  messages: [
    { role: 'user', content: 'Tea?' },
    {
      role: 'assistant',
      content: 'Let me look',
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'find', arguments: '{"q":"tea"}' } }],
    },
  ],
}
const answered = {
  ...calling,
  messages: [
    ...calling.messages,
    { role: 'tool', tool_call_id: 'a', content: '3 kinds' },
    { role: 'assistant', content: 'Three kinds' },
    { role: 'user', content: 'Black, please' },
  ],
}

describe('import', () => {
  it('merges the records of one session in the order of the file, among hundreds of others', async () => {
    const messages = Array.from({ length: 40 }, (_, i) => [
      { role: 'user', content: `question ${i}` },
      { role: 'assistant', content: `answer ${i}` },
    ])
    const records = messages.flatMap((_, i) => [
      { id: 'grows', messages: messages.slice(0, i + 1).flat() },
      ...Array.from({ length: 5 }, (_unused, n) => ({ ...hello, id: `other ${i} ${n}` })),
    ])
    const { url, code, stdout, stderr } = await importText(lines(...records))
    expect([code, stdout, stderr]).toEqual([0, '240 sessions: 201 added, 39 grown, 0 unchanged\n', ''])
    expect((await load(url, 'grows'))?.turns.map(({ prompt }) => prompt)).toEqual(
      messages.map((_, i) => `question ${i}`),
    )
  })

  it('creates a session for each transcript, with its id and metadata, without times', async () => {
    const { url, code, stdout, stderr } = await importText(lines(hello, calling))
    expect([code, stdout, stderr]).toEqual([0, '2 sessions: 2 added, 0 grown, 0 unchanged\n', ''])
    const session = await load(url, 'hello')
    expect(session).toMatchObject({
      sessionId: 'hello',
      workspaceId: null,
      createdAt: '',
      updatedAt: '',
      metadata: { lang: 'en' },
    })
    expect(messagesFromTurns(session?.turns ?? [])).toEqual(hello.messages)
  })

  it.skipIf(!existsSync(airline))(
    'takes the sixty transcripts of shared/data, and once more adds nothing',
    async () => {
      const url = temporaryStore()
      const first = await turnstore(['import', airline, '--to', url])
      expect(first).toMatchObject({ code: 0, stdout: '60 sessions: 60 added, 0 grown, 0 unchanged\n', stderr: '' })
      const before = await turnstore(['export', '--store', url])
      const second = await turnstore(['import', airline, '--to', url])
      expect(second).toMatchObject({ code: 0, stdout: '60 sessions: 0 added, 0 grown, 60 unchanged\n' })
      // Including the revisions.
      expect((await turnstore(['export', '--store', url])).stdout).toBe(before.stdout)
      for (const line of readFileSync(airline, 'utf8').trim().split('\n')) {
        const { id, messages } = parseObject(line)
        const session = await load(url, String(id))
        expect(messagesFromTurns(session?.turns ?? [], { exact: true })).toEqual(messages)
      }
    },
  )

  it.skipIf(!existsSync(airline))(
    'two imports of one file at once end with each session once',
    async () => {
      const url = temporaryStore()
      const runs = await Promise.all([1, 2, 3].map(() => finished(start(['import', airline, '--to', url, '--json']))))
      expect(runs.map(({ code, stderr }) => [code, stderr])).toEqual([
        [0, ''],
        [0, ''],
        [0, ''],
      ])
      const counts = runs.map(({ stdout }) => parseObject(stdout))
      expect(counts.reduce((sum, { added }) => sum + Number(added), 0)).toBe(60)
      expect(counts.reduce((sum, { unchanged }) => sum + Number(unchanged), 0)).toBe(120)
      const exported = parseObjects((await turnstore(['export', '--store', url])).stdout)
      expect(exported.map(({ revision }) => revision)).toEqual(Array.from({ length: 60 }, () => 1))
    },
    30_000,
  )

  it('a transcript that has grown adds what is new and completes its last turn', async () => {
    const { url } = await importText(lines(calling))
    expect(await load(url, 'calling')).toMatchObject({
      turns: [{ status: 'running', toolCalls: [{ status: 'running' }] }],
      revision: 1,
    })
    const { stdout, code } = await importText(lines(answered), { url })
    expect([code, stdout]).toEqual([0, '1 session: 0 added, 1 grown, 0 unchanged\n'])
    const grown = await load(url, 'calling')
    expect(grown).toMatchObject({
      turns: [
        {
          turnId: 't1',
          status: 'success',
          responseContent: 'Three kinds',
          toolCalls: [{ result: '3 kinds', status: 'success' }],
        },
        { turnId: 't2', status: 'running', prompt: 'Black, please' },
      ],
      revision: 2,
      updatedAt: '',
    })
    expect(messagesFromTurns(grown?.turns ?? [])).toEqual(answered.messages)
  })

  it('a transcript that grows message by message ends as if imported at once', async () => {
    const url = temporaryStore()
    for (let length = 1; length <= answered.messages.length; length++) {
      const { code } = await importText(lines({ ...answered, messages: answered.messages.slice(0, length) }), { url })
      expect(code).toBe(0)
    }
    const { url: other } = await importText(lines(answered))
    expect((await load(url, 'calling'))?.turns).toEqual((await load(other, 'calling'))?.turns)
  })

  it('an older state of a transcript changes nothing', async () => {
    const { url } = await importText(lines(answered))
    const { code, stdout } = await importText(lines(calling), { url })
    expect([code, stdout]).toEqual([0, '1 session: 0 added, 0 grown, 1 unchanged\n'])
    expect(await load(url, 'calling')).toMatchObject({ revision: 1, turns: [{ status: 'success' }, {}] })
  })

  it('if a transcript differs in an earlier turn, no later turn is added', async () => {
    const { url } = await importText(lines(answered, hello))
    const [first, ...rest] = answered.messages
    const changed = {
      ...answered,
      messages: [{ ...first, content: 'SECRET' }, ...rest, { role: 'assistant', content: 'x' }],
    }
    const { code, stdout, stderr } = await importText(lines(changed, hello), { url })
    expect(code).toBe(1)
    expect(stdout).toBe('2 sessions: 0 added, 0 grown, 2 unchanged (1 with contradictions)\n')
    expect(stderr).toBe(
      'stdin:1: the target has different content in turn 1 (t1), which has another prompt; it was not changed\n',
    )
    expect(await load(url, 'calling')).toMatchObject({ revision: 1, turns: [{ prompt: 'Tea?' }, {}] })
  })

  it('the response of an earlier turn cannot change', async () => {
    const { url } = await importText(lines(answered))
    const messages = [
      ...answered.messages.slice(0, 4),
      { role: 'assistant', content: 'And one more thing' },
      ...answered.messages.slice(4),
    ]
    const { code, stderr } = await importText(lines({ ...answered, messages }), { url })
    expect([code, stderr]).toEqual([
      1,
      'stdin:1: the target has different content in turn 1 (t1): its response; it was not changed\n',
    ])
    expect(await load(url, 'calling')).toMatchObject({ turns: [{ responseContent: 'Three kinds' }, {}] })
  })

  it('a last turn with different content does not count as growth', async () => {
    const { url } = await importText(lines(hello))
    const other = { ...hello, messages: [hello.messages[0], { role: 'assistant', content: 'Go away' }] }
    expect((await importText(lines(other), { url })).code).toBe(1)
    expect(await load(url, 'hello')).toMatchObject({ turns: [{ responseContent: 'Hello!' }] })
  })

  it('adds new metadata, and keeps the rest', async () => {
    const { url } = await importText(lines(hello))
    {
      await using store = await openStore(url)
      await store.changeSession('hello', {
        setMetadata: { ended: true, lang: 'de' },
        updatedAt: '2026-01-01T00:00:00Z',
      })
    }
    const { stdout } = await importText(lines({ ...hello, metadata: { lang: 'en', score: 1 } }), { url })
    expect(stdout).toContain('1 grown')
    expect(await load(url, 'hello')).toMatchObject({
      metadata: { ended: true, lang: 'de', score: 1 },
      updatedAt: '2026-01-01T00:00:00Z',
    })
  })

  it('imports into the given workspace, and not over a session of another', async () => {
    const { url } = await importText(lines(hello), { args: ['--workspace', 'acme'] })
    expect(await load(url, 'hello')).toMatchObject({ workspaceId: 'acme' })
    const { code, stderr } = await importText(lines(hello), { url, args: ['--workspace', 'globex'] })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^stdin:1: .*in use in another workspace/)
    expect((await importText(lines(hello), { url })).code).toBe(1)
    expect(await load(url, 'hello')).toMatchObject({ workspaceId: 'acme', revision: 1 })
  })

  it('restores an export unchanged, except for the revision', async () => {
    const { url } = await importText(lines(hello, calling))
    const exported = (await turnstore(['export'], { url })).stdout
    const { url: other } = await importText(exported)
    expect((await turnstore(['export'], { url: other })).stdout).toBe(exported)
    expect((await importText(exported, { url: other })).stdout).toBe('2 sessions: 0 added, 0 grown, 2 unchanged\n')
  })

  describe('input files', () => {
    it.each([
      ['a byte-order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(lines(hello))])],
      ['blank lines', `\n\n${lines(hello)}\n  \n`],
      ['CRLF', lines(hello, calling).replaceAll('\n', '\r\n')],
      ['a last line without a newline', lines(hello).trimEnd()],
      ['a JSON array', JSON.stringify([hello, calling])],
      ['an indented JSON array', JSON.stringify([hello, calling], null, 2)],
      ['a JSON array over lines', `[\n${JSON.stringify(hello)},\n${JSON.stringify(calling)}\n]\n`],
      ['one indented object', JSON.stringify(hello, null, 2)],
      ['a byte-order mark before an indented object', `\uFEFF${JSON.stringify(hello, null, 2)}`],
      [
        'indented objects one after the other',
        `${JSON.stringify(hello, null, 2)}\n${JSON.stringify(calling, null, 2)}`,
      ],
      [
        'brackets and quotes in texts',
        JSON.stringify([{ ...hello, messages: [{ role: 'user', content: '}]"\\"[{\\' }] }], null, 2),
      ],
      [
        'a quote before a bracket in a text',
        JSON.stringify([{ ...hello, messages: [{ role: 'user', content: '"}' }] }], null, 2),
      ],
      [
        'line separators in texts',
        lines({ ...hello, messages: [{ role: 'user', content: 'a\u2028b\u2029c\u0085d' }] }),
      ],
    ])('%s', async (_name, text) => {
      const { url, code, stderr } = await importText(text)
      expect([code, stderr]).toEqual([0, ''])
      expect(await ids(url)).toContain('hello')
    })

    it('an empty file, and an empty array', async () => {
      for (const text of ['', '\n\n', '[]', '[ ]\n']) {
        expect(await importText(text)).toMatchObject({ code: 0, stdout: '0 sessions: 0 added, 0 grown, 0 unchanged\n' })
      }
    })

    it.each([
      ['a line that is not JSON', `${lines(hello)}{"id": SECRET\n${lines(calling)}`, 2],
      ['a first line that is not JSON', `{"id": SECRET\n${lines(hello, calling)}`, 1],
      ['a first line that is plain text', `SECRET\n${lines(hello, calling)}`, 1],
      ['a line that is cut off', `${lines(hello, calling)}{"id":"x","messages":[{"role":"user","content":"SECR`, 3],
      [
        'a line that is not UTF-8',
        Buffer.concat([Buffer.from(lines(hello)), Buffer.from([0x22, 0xff, 0x22, 0x0a]), Buffer.from(lines(calling))]),
        2,
      ],
      ['a scalar', `${lines(hello)}"SECRET"\n${lines(calling)}`, 2],
      ['an array in between', `${lines(hello)}["SECRET"]\n${lines(calling)}`, 2],
      ['something else', lines(hello, { SECRET: 1 }, calling), 2],
      ['messages that are not an array', lines(hello, { id: 'x', messages: 'SECRET' }, calling), 2],
      ['metadata that is not an object', lines(hello, { id: 'x', messages: [], metadata: 'SECRET' }, calling), 2],
      ['an id that is not a string', lines(hello, { id: ['SECRET'], messages: [] }, calling), 2],
      ['an id with a control character', lines(hello, { id: 'a\u001b[31mb', messages: [] }, calling), 2],
      ['a session of a newer format', lines(hello, { session_id: 'x', schema_version: 99 }, calling), 2],
      ['a session that is damaged', lines(hello, { session_id: 'x', turns: 'SECRET' }, calling), 2],
      ['a blank line counts', `\n${lines(hello)}\nSECRET\n${lines(calling)}`, 4],
      ['an array with a bad item', `[\n${JSON.stringify(hello)},\n"SECRET",\n${JSON.stringify(calling)}]`, 3],
      ['an array that is cut off', `[\n${JSON.stringify(hello)},\n${JSON.stringify(calling)},\n{"id":`, 4],
      [
        'a message beyond 16 MiB',
        lines(hello, { id: 'x', messages: [{ role: 'user', content: `SECRET${'x'.repeat(2 ** 24)}` }] }, calling),
        2,
      ],
    ])('%s is reported with its line, and the rest is imported', async (_name, text, line) => {
      const { url, code, stderr } = await importText(text)
      expect(code).toBe(1)
      expect(stderr).toMatch(new RegExp(`^stdin:${line}: .+\\n$`))
      expect(stderr).not.toContain('SECR')
      expect(await ids(url)).toEqual(['calling', 'hello'])
    })

    it('reports a message that turns cannot represent, and imports the others', async () => {
      const { url, code, stderr } = await importText(
        lines({ ...hello, messages: [...hello.messages, { role: 'tool', tool_call_id: 'SECRET', content: 'SECRET' }] }),
      )
      expect(code).toBe(1)
      expect(stderr).toBe(
        'stdin:1: imported, but messages[2] is the result of a missing tool call; kept, but not read\n',
      )
      expect(await ids(url)).toEqual(['hello'])
    })

    it('imports the rest of a file whose first two lines are truncated (the whole file was left out)', async () => {
      const cut = JSON.stringify(answered).slice(0, 60)
      const { url, code, stdout, stderr } = await importText(`${cut}\n${cut.slice(0, 20)}\n${lines(hello, calling)}`)
      expect([code, stdout]).toEqual([1, '4 sessions: 2 added, 0 grown, 0 unchanged, 2 left out\n'])
      expect(stderr).toBe('stdin:1: not valid JSON\nstdin:2: not valid JSON\n')
      expect(await ids(url)).toEqual(['calling', 'hello'])
    })

    it('reports members that are not imported', async () => {
      const { code, stderr } = await importText(lines({ ...hello, tools: [], model: 'm' }))
      expect([code, stderr]).toEqual([0, 'stdin:1: members not imported: tools, model\n'])
    })

    it('records with the same id are one session, and contradictions are reported', async () => {
      const { url, code, stdout, stderr } = await importText(
        lines(calling, answered, calling, { ...calling, messages: [{ role: 'user', content: 'x' }] }),
      )
      expect(stdout).toBe('4 sessions: 1 added, 1 grown, 2 unchanged (1 with contradictions)\n')
      expect([code, stderr.startsWith('stdin:4: ')]).toEqual([1, true])
      expect(await load(url, 'calling')).toMatchObject({ turns: [{}, {}] })
    })

    it('reports a missing file and a folder, and reads the other files', async () => {
      const folder = temporaryFolder()
      const file = join(folder, 'a.jsonl')
      writeFileSync(file, lines(hello))
      const { code, stdout, stderr } = await turnstore(['import', join(folder, 'nope'), folder, file], {
        url: temporaryStore(),
      })
      expect([code, stdout]).toEqual([1, '1 session: 1 added, 0 grown, 0 unchanged\n'])
      expect(stderr).toBe(`${join(folder, 'nope')}: no such file\n${folder}: a folder, not a file\n`)
    })

    it('reports why a file cannot be opened, and reads the others', async () => {
      const folder = temporaryFolder()
      const file = join(folder, 'a.jsonl')
      writeFileSync(file, lines(hello))
      symlinkSync('loop', join(folder, 'loop'))
      const unreadable = [join(file, 'b.jsonl'), join(folder, 'x'.repeat(300)), join(folder, 'loop')]
      const { code, stdout, stderr } = await turnstore(['import', ...unreadable, file], { url: temporaryStore() })
      expect([code, stdout]).toEqual([1, '1 session: 1 added, 0 grown, 0 unchanged\n'])
      const reasons = ['no such file', 'could not be read (ENAMETOOLONG)', 'could not be read (ELOOP)']
      expect(stderr).toBe(unreadable.map((path, index) => `${path}: ${reasons[index]}\n`).join(''))
    })
  })

  it('reports a store that cannot be used once, not for each record', async () => {
    const file = join(temporaryFolder(), 'a.jsonl')
    writeFileSync(file, lines(hello, { ...hello, id: 'second' }))
    expect(await turnstore(['import', file, '--to', `file:${file}`])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'The path of a file store must be a folder, and this is a file\n',
    })
  })

  it('--json prints a summary', async () => {
    const { stdout, code } = await importText(`${lines(hello)}SECRET\n`, { args: ['--json'] })
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toEqual({
      complete: true,
      added: 1,
      grown: 0,
      unchanged: 0,
      contradicting: 0,
      left_alone: 0,
      left_out: 1,
      problems: [{ file: 'stdin', line: 2, message: 'not valid JSON' }],
      notes: [],
    })
  })

  it('accepts ids with unusual characters', async () => {
    const strange = ['a b', '../../x', '日本語 😀', '-rf', '__proto__', 'a"b\'c', '%2e%2e', 'a:b*?']
    const { url, code } = await importText(lines(...strange.map(id => ({ ...hello, id }))))
    expect(code).toBe(0)
    expect(await ids(url)).toEqual(strange.toSorted())
    for (const id of strange) expect(await turnstore(['show', '--', id], { url })).toMatchObject({ code: 0 })
  })

  it('Ctrl-C during a wait for input ends with code 130, and the records read so far are stored completely', async () => {
    const url = temporaryStore()
    const child = start(['import', '-'], { TURNSTORE_URL: url })
    const done = finished(child)
    child.stdin?.write(lines(hello))
    await waitFor(async () => (await ids(url)).length === 1)
    child.kill('SIGINT')
    expect(await done).toMatchObject({
      code: 130,
      signal: null,
      stdout: '',
      stderr:
        'Interrupted after 1 session: 1 added, 0 grown, 0 unchanged. Run the same command again to go on: it adds what is missing\n',
    })
    expect(await load(url, 'hello')).toMatchObject({ turns: [{ responseContent: 'Hello!' }] })
  })

  it('never holds a whole file in memory', async () => {
    const url = temporaryStore()
    const child = start(['import', '-', '--json'], { TURNSTORE_URL: url, NODE_OPTIONS: '--max-old-space-size=64' })
    const done = finished(child)
    const padding = 'x'.repeat(4 * 1024 * 1024)
    for (let index = 0; index < 60; index++) {
      if (
        child.stdin?.write(lines({ id: 'big', ...(index === 0 ? {} : { padding }), messages: hello.messages })) ===
        false
      ) {
        await new Promise(resolve => child.stdin?.once('drain', resolve))
      }
    }
    child.stdin?.end()
    expect((await done).code).toBe(0)
    expect(await ids(url)).toEqual(['big'])
  }, 30_000)
})

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setTimeout(resolve, 10))
}
