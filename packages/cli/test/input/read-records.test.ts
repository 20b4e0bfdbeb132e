import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readRecords } from '../../src/input/read-records.ts'

/*
 * If some lines of a file are bad, all other records are read and each bad line is reported.
 */

const records = Array.from({ length: 5 }, (_, index) => ({
  id: `chat-${index}`,
  messages: [
    { role: 'user', content: 'Is there "tea"? [yes] {no}, \\ ' },
    { role: 'assistant', content: null, tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{"a":[1]}' } }] },
    { role: 'assistant', content: 'Three kinds' },
  ],
  metadata: { channel: 'web', n: [1, { m: [] }] },
}))
const whole = records.map(record => JSON.stringify(record))

interface Read {
  ids: string[]
  bad: number[]
}

async function read(text: string): Promise<Read> {
  const result: Read = { ids: [], bad: [] }
  for await (const { line, value } of readRecords(chunks(text))) {
    const json = 'json' in value ? value.json : undefined
    if (typeof json === 'object' && json !== null && 'messages' in json && 'id' in json)
      result.ids.push(String(json.id))
    else result.bad.push(line)
  }
  return result
}

async function* chunks(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100)
}

const layouts: [string, (lines: readonly string[]) => string, number][] = [
  ['JSON Lines', lines => lines.map(line => `${line}\n`).join(''), 1],
  ['JSON Lines with commas', lines => lines.map(line => `${line},\n`).join(''), 1],
  ['an array, one record per line', lines => `[\n${lines.join(',\n')}\n]\n`, 2],
  ['an indented array, one record per line', lines => `[\n${lines.map(line => `  ${line}`).join(',\n')}\n]\n`, 2],
]

describe.each(layouts)('%s', (_name, write, firstLine) => {
  it('is read completely', async () => {
    expect(await read(write(whole))).toEqual({ ids: records.map(({ id }) => id), bad: [] })
  })

  it('with truncated lines yields all others and reports each bad line', async () => {
    const cut = fc.record({ line: fc.nat(4), at: fc.double({ min: 0, max: 1, noNaN: true }) })
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(cut, { selector: ({ line }) => line, minLength: 1 }), async cuts => {
        const lines = whole.map((text, index) => {
          const here = cuts.find(({ line }) => line === index)
          return here === undefined ? text : text.slice(0, 1 + Math.floor(here.at * (text.length - 2)))
        })
        const bad = cuts.map(({ line }) => line)
        expect(await read(write(lines))).toEqual({
          ids: records.map(({ id }) => id).filter((_id, index) => !bad.includes(index)),
          bad: bad.toSorted((a, b) => a - b).map(index => index + firstLine),
        })
      }),
      { numRuns: 500 },
    )
  })

  it('with lines that lack their beginning yields all others', async () => {
    const cut = fc.record({ line: fc.nat(4), at: fc.double({ min: 0, max: 1, noNaN: true }) })
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(cut, { selector: ({ line }) => line, minLength: 1 }), async cuts => {
        const lines = whole.map((text, index) => {
          const here = cuts.find(({ line }) => line === index)
          return here === undefined ? text : text.slice(1 + Math.floor(here.at * (text.length - 2)))
        })
        const bad = cuts.map(({ line }) => line)
        const found = await read(write(lines))
        expect(found.ids).toEqual(records.map(({ id }) => id).filter((_id, index) => !bad.includes(index)))
        expect([...new Set(found.bad)]).toEqual(bad.toSorted((a, b) => a - b).map(index => index + firstLine))
      }),
      { numRuns: 500 },
    )
  })
})

describe('values over several lines', () => {
  it.each([
    ['indented objects', records.map(record => JSON.stringify(record, null, 2)).join('\n')],
    ['with commas', records.map(record => JSON.stringify(record, null, 2)).join(',\n')],
    ['concatenated without line breaks', whole.join('')],
    ['an indented array', JSON.stringify(records, null, 2)],
    ['an array on one line', JSON.stringify(records)],
    ['indented with tabs', JSON.stringify(records, null, '\t')],
    ['two arrays', `${JSON.stringify(records.slice(0, 2), null, 2)}\n${JSON.stringify(records.slice(2))}`],
    ['indented objects between JSON Lines', whole.slice(0, 4).join('\n') + '\n' + JSON.stringify(records[4], null, 2)],
  ])('%s are read completely', async (_name, text) => {
    expect(await read(text)).toEqual({ ids: records.map(({ id }) => id), bad: [] })
  })

  it.each([
    ['objects', 2, records.map(record => JSON.stringify(record, null, 2)).join('\n')],
    ['an array', 4, JSON.stringify(records, null, 2)],
  ])('a broken one is reported once, and the others are read: %s', async (_name, spaces, text) => {
    const broken = text.replace(`\n${' '.repeat(spaces)}"id": "chat-1"`, `\n${' '.repeat(spaces)}"id": "chat-1`)
    const { ids, bad } = await read(broken)
    expect([ids, bad.length]).toEqual([['chat-0', 'chat-2', 'chat-3', 'chat-4'], 1])
  })
})
