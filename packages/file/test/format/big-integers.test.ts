import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

describe('numbers that JavaScript cannot represent', () => {
  const big = '12345678901234567890'
  const places = {
    head: '98765432109876543210',
    metadata: `-${big}`,
    turn: '9007199254740993',
    call: '1000000000000000000000',
  }
  const text = `{
  "session_id": "s",
  "workspace_id": null,
  "created_at": "${at}",
  "updated_at": "${at}",
  "agent_id": null,
  "turns": [
    {
      "turn_id": "t1",
      "agent_id": null,
      "prompt": "",
      "response_content": null,
      "tool_calls": [
        {
          "call_id": "c1",
          "tool_name": "f",
          "arguments": {
            "n": ${places.call}
          }
        }
      ],
      "metadata": {
        "n": ${places.turn}
      }
    },
    {
      "turn_id": "t2"
    }
  ],
  "agent_transitions": [],
  "metadata": {
    "n": ${places.metadata}
  },
  "account": ${places.head}
}`

  function expectAllKept(): void {
    const now = readFileSync(folder.path('s.json'), 'utf8')
    for (const number of Object.values(places)) expect(now).toMatch(new RegExp(`: ${number}\\b`))
  }

  it('integers beyond 2^53 survive an append, an update and a compaction', async () => {
    writeFileSync(folder.path('s.json'), text)
    const store = folder.open()
    await store.changeSession('s', append('t3'))
    const putToolCalls = [{ callId: 'c2', toolName: 'g' }]
    await store.changeSession('s', {
      updateTurns: [{ turnId: 't1', putToolCalls }],
      setMetadata: { m: 1 },
      updatedAt: at,
    })
    expect((await store.loadSession('s'))?.metadata).toEqual({ n: Number(places.metadata), m: 1 })
    expect((await store.loadSummary('s'))?.metadata).toEqual({ n: Number(places.metadata), m: 1 })
    expect((await store.loadSession('s'))?.turns[0]?.metadata).toEqual({ n: Number(places.turn) })
    await store.close()
    expect(existsSync(folder.path('s.journal'))).toBe(false)
    expectAllKept()
    expect(JSON.parse(readFileSync(folder.path('s.json'), 'utf8'))).toMatchObject({ revision: 3 })
  })

  it('integers beyond 2^53 survive a rewind', async () => {
    writeFileSync(folder.path('s.json'), text)
    const store = folder.open()
    await store.changeSession('s', append('t3'))
    const updateTurns = [{ turnId: 't1', set: { error: 'e' } }]
    await store.changeSession('s', { keepTurns: 1, updateTurns, appendTurns: [{ turnId: 't4' }], updatedAt: at })
    expectAllKept()
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['t1', 't4'])
  })

  it('integers beyond 2^53 survive in a document of another form', async () => {
    writeFileSync(folder.path('s.json'), text.replaceAll(/\n */g, ' '))
    await folder.once(store => store.changeSession('s', append('t3')))
    expectAllKept()
  })

  it('a record that has lost them does not replace them', async () => {
    writeFileSync(folder.path('s.json'), text)
    const store = folder.open()
    const loaded = await store.loadSession('s')
    if (loaded === null) throw new Error('not loaded')
    const error = await failureOf(store.saveSession(loaded))
    expect(error).toMatchObject({ code: 'INVALID_RECORD', outcome: 'not-stored', sessionId: 's' })
    expect(readFileSync(folder.path('s.json'), 'utf8')).toBe(text)
    expect(await store.deleteSession('s')).toBe(true)
  })

  it('large numbers that JavaScript can represent are saved', async () => {
    const metadata = {
      exact: 2 ** 53,
      large: 1e17,
      larger: 2 ** 63,
      floating: 1e22,
      negative: -1e18,
      small: 5e-324,
      whole: 255,
    }
    const store = folder.open()
    await store.saveSession({
      sessionId: 's',
      metadata,
      turns: [{ turnId: 't', metadata, toolCalls: [{ toolName: 'f', durationMs: 1e17 }] }],
    })
    const loaded = await folder.open().loadSession('s')
    expect(loaded?.metadata).toEqual(metadata)
    expect(loaded?.turns[0]?.toolCalls[0]?.durationMs).toBe(1e17)
    expect(await folder.open().saveSession({ sessionId: 's', metadata })).toBe(2)
  })

  it('255.0 and 1e22 are read as numbers, and keep their text in an unchanged turn', async () => {
    const floats = text.replace(places.turn, '255.0').replace(places.call, '1e22')
    writeFileSync(folder.path('s.json'), floats)
    const store = folder.open()
    await store.changeSession('s', append('t3'))
    expect((await store.loadSession('s'))?.turns[0]?.metadata).toEqual({ n: 255 })
    await store.close()
    expect(readFileSync(folder.path('s.json'), 'utf8')).toContain('"n": 255.0')
    expect(readFileSync(folder.path('s.json'), 'utf8')).toContain('"n": 1e22')
  })

  it.each(['NaN', 'Infinity', '-Infinity', '1e400', '-1e400'])(
    '%s is reported with file and place, and nothing changes it',
    async value => {
      for (const place of Object.values(places)) {
        const damaged = text.replace(place, value)
        mkdirSync(folder.path(place))
        writeFileSync(folder.path(place, 's.json'), damaged)
        const store = folder.open({}, folder.path(place))
        const calls = [
          () => store.loadSession('s'),
          () => store.changeSession('s', append('t')),
          () => store.saveSession({ sessionId: 's' }),
        ]
        for (const call of calls) {
          const error = await failureOf(call())
          expect(error.code).toBe('CORRUPT_SESSION')
          expect(error.message).toContain(join(place, 's.json'))
          expect(error.message).toMatch(value.includes('1e') ? /too large/ : /(?:Infinity|NaN).*line \d+, column \d+/)
        }
        expect(readFileSync(folder.path(place, 's.json'), 'utf8')).toBe(damaged)
      }
    },
  )
})
