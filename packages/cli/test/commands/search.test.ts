import { join } from 'node:path'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { openStore } from 'turnstore'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Server, startServer } from '../../../redis/test/servers.ts'
import { parseObjects, start, temporaryFolder, turnstore } from '../turnstore.ts'

let server: Server

beforeAll(async () => {
  server = await startServer()
})

afterAll(() => server.stop())

const kinds = ['file', 'sqlite', 'redis'] as const

async function filled(kind: (typeof kinds)[number]): Promise<string> {
  if (kind === 'redis') await server.admin.flushall()
  const url = kind === 'redis' ? server.url : `${kind}:${join(temporaryFolder(), 'store')}`
  await using store = await openStore(url)
  const turns = [
    { turnId: 't1', prompt: 'Where is my parcel?', responseContent: 'At the depot.' },
    {
      turnId: 't2',
      prompt: 'And\nthe \u001b[31mother Parcel?',
      toolCalls: [{ callId: 'c', toolName: 'f', result: '荷物' }],
    },
  ]
  await store.saveSession({ sessionId: 'a', updatedAt: '2026-01-01T00:00:00Z', metadata: { title: 'Parcels' }, turns })
  await store.saveSession({
    sessionId: 'b',
    workspaceId: 'w',
    updatedAt: '2026-01-02T00:00:00Z',
    turns: turns.slice(0, 1),
  })
  return url
}

describe.each(kinds)('search in the store %s', kind => {
  it('prints where the words are', async () => {
    const url = await filled(kind)
    expect(await turnstore(['search', 'PARCEL'], { url })).toEqual({
      code: 0,
      stdout: [
        'b  t1  2026-01-02T00:00:00Z',
        '   > Where is my parcel?',
        'a  t1  2026-01-01T00:00:00Z  Parcels',
        '   > Where is my parcel?',
        'a  t2  2026-01-01T00:00:00Z  Parcels',
        '   > And the ␛[31mother Parcel?',
        '',
      ].join('\n'),
      stderr: '',
    })
    expect((await turnstore(['search', 'parcel', 'depot', '--workspace', 'w'], { url })).stdout).toBe(
      'b  t1  2026-01-02T00:00:00Z\n   > Where is my parcel?\n',
    )
    expect((await turnstore(['search', '荷'], { url })).stdout).toContain('* result 荷物')
  })

  it('highlights them on a terminal, and shows what fits', async () => {
    const url = await filled(kind)
    const { stdout } = await turnstore(['search', 'depot'], { url, columns: 40 })
    expect(stdout).toContain('\u001b[33m\u001b[1mdepot')
  })

  it('stops at the limit, says so, and prints JSON', async () => {
    const url = await filled(kind)
    expect((await turnstore(['search', 'parcel', '--limit', '1'], { url })).stderr).toBe(
      'There are more. Add words, or --limit 5.\n',
    )
    const { stdout } = await turnstore(['search', '"the depot"', '--json'], { url })
    expect(parseObjects(stdout)).toMatchObject([
      { turn_id: 't1', field: 'response_content', snippet: 'At the depot.', ranges: [[3, 12]] },
      { session: { session_id: 'a' } },
    ])
    expect(await turnstore(['search', 'nothing'], { url })).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No turn has these words.\n',
    })
    expect(await turnstore(['search', 'nothing', '--json'], { url })).toMatchObject({ code: 0, stdout: '[]\n' })
    expect(await turnstore(['search', '""'], { url })).toMatchObject({ code: 2, stdout: '' })
  })
})

describe.each(kinds)('watch in the store %s', kind => {
  it('prints what other processes record, as it comes', async () => {
    const url = await filled(kind)
    const child = start(['watch', 'a', '--store', url])
    const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]()
    const next = async (count: number): Promise<string[]> => {
      const read: string[] = []
      while (read.length < count) read.push((await lines.next()).value ?? 'ended')
      return read
    }
    expect(await next(4)).toEqual(['2. t2', '   > And the ␛[31mother Parcel?', '   * f {} = 荷物', '   = success'])
    await using store = await openStore(url)
    const startedAt = '2026-01-03T00:00:00Z'
    await store.changeSession('a', { appendTurns: [{ turnId: 't3', prompt: 'Third', status: 'running', startedAt }] })
    expect(await next(2)).toEqual(['3. t3  2026-01-03T00:00:00Z', '   > Third'])
    const call = { callId: 'c', toolName: 'track', arguments: { n: 1 } }
    await store.changeSession('a', { updateTurns: [{ turnId: 't3', putToolCalls: [{ ...call, status: 'running' }] }] })
    expect(await next(1)).toEqual(['   * track {"n":1} = [running]'])
    await store.changeSession('a', {
      updateTurns: [
        {
          turnId: 't3',
          putToolCalls: [{ ...call, result: 'here' }],
          set: { responseContent: 'Found.', status: 'success' },
        },
      ],
    })
    expect(await next(3)).toEqual(['   * track {"n":1} = here', '   < Found.', '   = success'])
    await store.changeSession('a', { keepTurns: 1 })
    expect((await next(1))[0]).toContain('rewound to 1 turns')
    await store.deleteSession('a')
    await once(child, 'close')
    expect(child.exitCode).toBe(0)
  })

  it('ends with Ctrl-C, and says if there is no such session', async () => {
    const url = await filled(kind)
    expect(await turnstore(['watch', 'none'], { url })).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Session not found: none\n',
    })
    const child = start(['watch', 'a', '--json', '--store', url])
    const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]()
    expect(JSON.parse((await lines.next()).value ?? '')).toMatchObject({ event: 'turn', index: 1 })
    child.kill('SIGINT')
    await once(child, 'close')
    expect(child.exitCode).toBe(130)
  })
})
