import { describe, expect, it } from 'vitest'
import { ids, importText } from './turnstore.ts'

/*
 * Nothing of a file is lost, altered or mixed up without a word, and what is told is true and short.
 */

describe('ids that are numbers', () => {
  const outOfReach = 'has an id that is a number which JavaScript cannot hold exactly; write it as a text'

  it('two beyond 2^53 that JavaScript takes for one do not become one session', async () => {
    const { url, code, stdout, stderr } = await importText(
      [
        '{"id":1234567890123456701,"messages":[{"role":"user","content":"SECRET of ann"}]}',
        '{"id":1234567890123456702,"messages":[{"role":"user","content":"SECRET of ann"},{"role":"assistant","content":"SECRET"}]}',
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
