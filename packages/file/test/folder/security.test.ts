import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { append, at } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

async function errorOf(call: () => Promise<unknown>): Promise<unknown> {
  return call().then(
    () => expect.fail('the call succeeded'),
    (error: unknown) => error,
  )
}

/** Everything that a log of the error would show. */
function shown(error: unknown): string {
  const parts = [inspect(error, { depth: 10, showHidden: true })]
  for (let each = error; each instanceof Error; each = each.cause)
    parts.push(String(each), each.stack ?? '', JSON.stringify(each))
  return parts.join('\n')
}

describe('no error reveals what is stored', () => {
  const canary = 'canary-5150'
  const content = (): string =>
    JSON.stringify(
      {
        session_id: 's',
        created_at: at,
        metadata: { [canary]: canary },
        turns: [
          { turn_id: 't', prompt: canary, tool_calls: [{ call_id: 'c', tool_name: 'f', result: { secret: canary } }] },
        ],
      },
      null,
      2,
    )
  const document = (text: string): void => writeFileSync(folder.path('s.json'), text)
  const journal = (alter: (text: string) => string): void => {
    const path = folder.path('s.journal')
    writeFileSync(path, alter(readFileSync(path, 'utf8')))
  }

  const damages: [string, () => void][] = [
    ['a document that is cut', () => document(content().slice(0, -20))],
    ['a document cut after a secret', () => document(content().slice(0, content().lastIndexOf(canary) + 6))],
    ['a document with garbage', () => document(`${content()}${canary}`)],
    ['a document that begins with a secret', () => document(canary)],
    [
      'a text where an object has to be',
      () => document(content().replace('"metadata": {', `"agent_transitions": "${canary}", "metadata": {`)),
    ],
    ['a turn that is a text', () => document(content().replace('"turns": [', `"turns": ["${canary}",`))],
    ['a session_id that is a secret', () => document(content().replace('"s"', `"${canary}"`))],
    ['a tool call without a name', () => document(content().replace('"tool_name": "f"', `"${canary}": "${canary}"`))],
    [
      'a number beyond the range of a double',
      () => document(content().replace(`"${canary}": "${canary}"`, `"${canary}": 1e999`)),
    ],
    ['a journal with an altered record', () => journal(text => text.replace(canary, `${canary}!`))],
    ['a journal cut in the middle', () => journal(text => text.replace(`${canary}"`, '\n'))],
    ['a journal with garbage', () => journal(text => `${text}${canary}\n`)],
  ]

  it.each(damages)('%s', async (_name, damage) => {
    document(content())
    const writer = folder.open()
    await writer.changeSession('s', {
      appendTurns: [{ turnId: 't2', prompt: canary, metadata: { [canary]: canary } }],
      setMetadata: { password: canary },
      updatedAt: at,
    })
    damage()
    const store = folder.open()
    const calls = [
      () => store.loadSession('s'),
      () => store.readTurns('s', { last: 1 }),
      () => store.changeSession('s', append('new')),
      () => store.saveSession({ sessionId: 's', metadata: { canary } }),
      () => store.deleteSession('s'),
    ]
    for (const call of calls) {
      const error = await errorOf(call)
      expect(error).toMatchObject({ code: 'CORRUPT_SESSION' })
      expect(shown(error)).not.toContain(canary)
    }
    expect(inspect(await store.querySessions(), { depth: 10 })).not.toContain(canary)
  })

  it('a write that fails', async () => {
    const base = folder.path('base')
    const store = folder.open({}, base)
    await store.saveSession({ sessionId: 's', createdAt: at })
    mkdirSync(folder.path('outside'))
    symlinkSync(folder.path('outside'), `${base}/w`)
    const change = { appendTurns: [{ turnId: 't', prompt: canary }], setMetadata: { canary }, updatedAt: at }
    const calls = [
      () => store.saveSession({ sessionId: 'new', workspaceId: 'w', metadata: { canary } }),
      () => store.changeSession('none', change),
      () => store.changeSession('s', { ...change, appendTurns: [{ turnId: 't', metadata: { canary: Number.NaN } }] }),
    ]
    for (const call of calls) expect(shown(await errorOf(call))).not.toContain(canary)
    rmSync(`${base}/.turnstore`, { recursive: true })
    writeFileSync(`${base}/.turnstore`, canary)
    expect(shown(await errorOf(() => folder.open({}, base).changeSession('s', change)))).not.toContain(canary)
  })
})

describe('no id forges a log line or controls a terminal', () => {
  // oxlint-disable-next-line no-control-regex -- they are the point
  const active = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2028\u2029]/

  it.each(['x\n{"level":"info"}', 'x\r\n', '\u001b[2J\u001b]0;owned\u0007', '\u009b31m', '\0'])(
    '%j is refused in one line',
    async id => {
      const store = folder.open()
      for (const call of [
        () => store.loadSession(id),
        () => store.saveSession({ sessionId: 's', workspaceId: id }),
        () => store.deleteSession(id),
      ]) {
        const error = await errorOf(call)
        expect(error).toMatchObject({ code: 'INVALID_ID' })
        const message = error instanceof Error ? error.message : ''
        expect(message).not.toMatch(active)
        expect(message).not.toContain('\n')
      }
    },
  )

  it.each(['\u202edetrevni', 'a\u2028b', '\u200b', '"quoted"', '%s %j'])(
    '%j is reported in one printable line',
    async id => {
      const store = folder.open()
      await store.saveSession({ sessionId: id, workspaceId: id })
      await store.changeSession(id, append('t'))
      const [path = ''] = await pathsOf(store.listSessions.bind(store), id)
      writeFileSync(path, 'no JSON')
      const error = await errorOf(() => folder.open().loadSession(id))
      expect(error).toMatchObject({ code: 'CORRUPT_SESSION' })
      const message = error instanceof Error ? error.message : ''
      // The quoted path is escaped. The id is not, but may contain no control characters.
      expect(message.split('\n')).toHaveLength(1)
      expect(message.slice(message.indexOf('read. '))).not.toMatch(active)
    },
  )

  async function pathsOf(list: () => Promise<string[]>, id: string): Promise<string[]> {
    expect(await list()).toEqual([id])
    const name = id.replaceAll('%', '%25').replaceAll('"', '%22')
    return [folder.path(name, `${name}.json`)]
  }

  it('a folder with such a name is reported in one line', async () => {
    const base = folder.path('a\n{"level":"info"}\u001b[2J')
    mkdirSync(base)
    writeFileSync(`${base}/s.json`, '')
    const error = await errorOf(() => folder.open({}, base).loadSession('s'))
    expect(error instanceof Error ? error.message : '').not.toMatch(active)
    expect(error instanceof Error ? error.message : '').not.toContain('\n')
    rmSync(`${base}/s.json`)
    mkdirSync(`${base}/s.json`)
    const failure = await errorOf(() => folder.open({}, base).saveSession({ sessionId: 's' }))
    expect(failure instanceof Error ? failure.message : '').not.toMatch(active)
    rmSync(`${base}/.turnstore/locks`, { recursive: true })
    writeFileSync(`${base}/.turnstore/locks`, '')
    const refused = await errorOf(() => folder.open({}, base).saveSession({ sessionId: 'x' }))
    expect(refused instanceof Error ? refused.message : '').toContain('locks')
    expect(refused instanceof Error ? refused.message : '').not.toMatch(active)
  })
})

it('new files and folders are for their owner alone, so nobody else sees the names either', async () => {
  const base = folder.path('base')
  const store = folder.open({}, base)
  await store.saveSession({ sessionId: 's', workspaceId: 'w', createdAt: at })
  await store.changeSession('s', append('t'))
  const modeOf = (name: string): number => statSync(`${base}/${name}`).mode & 0o777
  for (const name of ['w/s.json', 'w/s.journal', '.turnstore/format'])
    expect([name, modeOf(name)]).toEqual([name, 0o600])
  for (const name of ['', 'w', '.turnstore', '.turnstore/locks']) expect([name, modeOf(name)]).toEqual([name, 0o700])
})

it('a document whose name is not a valid id is reported in listings, in one line, and is never a session', async () => {
  await folder.open().saveSession({ sessionId: 's', createdAt: at })
  writeFileSync(folder.path('a\n{"level":"info"}.json'), JSON.stringify({ session_id: 'a\n{"level":"info"}' }))
  const store = folder.open()
  expect(await store.listSessions()).toEqual(['s'])
  const page = await store.querySessions()
  expect(page.sessions.map(({ sessionId }) => sessionId)).toEqual(['s'])
  const [damaged] = page.damaged ?? []
  expect(damaged?.code).toBe('CORRUPT_SESSION')
  expect(damaged?.message).toContain('its name is not a valid session id')
  expect(`${damaged?.sessionId} ${damaged?.message}`).not.toContain('\n')
})
