import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { append, at, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const document = (): string => folder.path('s.json')

describe('documents of another form', () => {
  const session = {
    session_id: 's',
    created_at: at,
    metadata: { text: '\n  "turns": [\n    {\n    }' },
    turns: [{ turn_id: 'a', tool_calls: [{ call_id: 'c', tool_name: 'f', result: [{ x: 1 }] }] }, { turn_id: 'b' }],
    new_key: [1],
  }
  const canonical = JSON.stringify(session, null, 2)
  const forms: [string, string][] = [
    ['minified', JSON.stringify(session)],
    ['indented by four', JSON.stringify(session, null, 4)],
    ['indented by tabs', JSON.stringify(session, null, '\t')],
    ['with CRLF', canonical.replaceAll('\n', '\r\n')],
    ['with white space at the end', `${canonical}\n \n`],
    [
      'with turns on one line',
      canonical.replace(/"turns": \[[^]*\n {2}\],/, `"turns": ${JSON.stringify(session.turns)},`),
    ],
    ['with keys in another order', JSON.stringify(Object.fromEntries(Object.entries(session).toReversed()), null, 2)],
    ['with lines that look like turns but are not', canonical.replace('"c",', '"c",\n    "x": {\n    },\n')],
    ['with escapes for ASCII', canonical.replace('"a"', String.raw`"\u0061"`)],
  ]

  it.each(forms)('%s can be read, appended to, updated, rewound and compacted', async (_name, text) => {
    writeFileSync(document(), text)
    const store = folder.open()
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['a', 'b'])
    expect((await store.readTurns('s', { turnId: 'a' }))?.turns[0]?.toolCalls[0]?.result).toEqual([{ x: 1 }])
    expect(await store.changeSession('s', append('d'))).toMatchObject({ revision: 2, turnCount: 3 })
    await store.changeSession('s', { updateTurns: [{ turnId: 'a', set: { status: 'error' } }], updatedAt: at })
    const before = await store.loadSession('s')
    expect(before).toMatchObject({ metadata: session.metadata, extra: { new_key: [1] }, revision: 3 })
    await store.close()
    expect(await folder.open().loadSession('s')).toEqual(before)
    await folder.once(again => again.changeSession('s', { keepTurns: 1, updatedAt: at }))
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['a'])
    expect(JSON.parse(readFileSync(document(), 'utf8'))).toMatchObject({
      new_key: [1],
      turns: [{ turn_id: 'a', status: 'error' }],
    })
  })
})
