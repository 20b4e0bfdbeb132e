import type { JsonObject, TurnItem } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Format, type FormatSession, formats, recognize } from '../src/index.ts'
import { expectValid } from './checkers.ts'
import { talks } from './conversations.ts'
import type { FileNative } from './native-files/file-native.ts'
import { fileNatives } from './native-files/index.ts'
import { asTold, expected, named, saidIn, sayFailure } from './told.ts'

const runs = { numRuns: 60 }

describe.each(fileNatives)('$title, a file as the tool writes it', native => {
  const format = named(native.name)
  const files = fc.array(talks, { minLength: 1, maxLength: native.isSingle === true ? 1 : 3 })

  it('is recognized as its format and no other', () => {
    fc.assert(
      fc.property(files, conversations => {
        const file = native.write(conversations)
        expect(formats.filter(each => each.recognizes(file)).map(({ name }) => name)).toEqual([format.name])
      }),
      runs,
    )
  })

  it('says in turns what it said, and nothing is unread', () => {
    fc.assert(
      fc.property(files, conversations => {
        const sessions = sessionsOf(format, native.write(conversations))
        expect(sessions.map(({ turns }) => saidIn(turns))).toEqual(conversations.map(talk => expected(talk, native)))
      }),
      runs,
    )
  })

  it('keeps each message as an item, exactly', () => {
    fc.assert(
      fc.property(files, conversations => {
        const file = native.write(conversations)
        const whole = JSON.stringify(file)
        const items = sessionsOf(format, file).flatMap(({ turns }) => turns.flatMap(turn => turn.items))
        expect(items).toHaveLength(native.countItems?.(file) ?? file.length)
        for (const { value } of items.filter(isWhole)) expect(whole).toContain(JSON.stringify(value))
      }),
      runs,
    )
  })

  it('gives the same sessions again, each with an id of its own', () => {
    fc.assert(
      fc.property(files, conversations => {
        const file = native.write(conversations)
        const sessions = sessionsOf(format, file)
        expect(sessionsOf(format, structuredClone(file))).toEqual(sessions)
        expect(new Set(sessions.map(({ sessionId }) => sessionId)).size).toBe(sessions.length)
        expect(sessions.every(({ sessionId }) => sessionId !== null)).toBe(true)
      }),
      runs,
    )
  })

  it('gives turns of which only the last changes as it grows', () => {
    fc.assert(
      fc.property(talks, fc.nat(), (talk, cut) => {
        const all = native.write([talk])
        const fewer = native.hasLines === true ? all.slice(0, 3 + (cut % all.length)) : shorter(native, talk, cut)
        const [before] = sessionsOf(format, fewer)
        const [after] = sessionsOf(format, all)
        const known = before?.turns.slice(0, -1)
        expect(after?.sessionId).toBe(before?.sessionId)
        expect(after?.turns.slice(0, known?.length)).toEqual(known)
      }),
      runs,
    )
  })

  for (const target of formats.filter(each => 'fromTurns' in each)) {
    it(`goes out as ${target.name}, as its validator wants it, and says the same`, async () => {
      await fc.assert(
        fc.asyncProperty(talks, async talk => {
          const [session] = sessionsOf(format, native.write([talk]))
          const turns = session?.turns ?? []
          const { messages = [] } = target.fromTurns?.(turns) ?? {}
          if (target === format) return
          await expectValid(target.name, messages)
          const saysFailure = sayFailure.has(target.name)
          const again = saidIn(target.toTurns(messages, { onProblem: unexpected }))
          expect(again.map(turn => asTold(turn, saysFailure))).toEqual(
            saidIn(turns).map(turn => asTold(turn, saysFailure)),
          )
        }),
        { numRuns: 20 },
      )
    })
  }
})

describe('A file that is not of one format', () => {
  const pairs = fileNatives.flatMap(one =>
    fileNatives.filter(other => other.name !== one.name).map(other => ({ one, other })),
  )

  it.each(pairs)('is refused once if it mixes $one.title and $other.title', ({ one, other }) => {
    fc.assert(
      fc.property(talks, talk => {
        const mixed = [...one.write([talk]), ...other.write([talk])]
        const found = recognize(mixed)
        expect('problem' in found ? found.problem : '').toContain('mixes formats')
        expect(found).toMatchObject({ count: mixed.length })
      }),
      { numRuns: 5 },
    )
  })

  it('is refused once if it is of none, or if most of it is', () => {
    const odd = [{ verse: 'Roses are red' }, { verse: 'Violets are blue' }, null]
    const problem = 'has messages of no known format: 3 of 3'
    expect(recognize(odd)).toEqual({ problem, count: 3 })
    const line = { type: 'summary', summary: 'A poem', leafUuid: 'a' }
    const beside = "has messages of no known format: 3 of 5, beside 2 of Claude Code's JSONL"
    expect(recognize([line, ...odd, line])).toEqual({ problem: beside, count: 3 })
    expect(recognize({ poem: odd })).toMatchObject({ count: 1 })
  })

  it('is refused by the format that it is taken for', () => {
    for (const native of fileNatives) {
      for (const format of formats) {
        if (!fileNatives.some(({ name }) => name === format.name) || format.name === native.name) continue
        const file = native.write([
          { system: null, turns: [{ prompt: 'Hi', picture: false, steps: [], answer: 'Ho' }] },
        ])
        expect(() => format.toSessions(file)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
        expect(() => format.toSessions([])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
      }
    }
  })
})

function sessionsOf(format: Format, file: readonly JsonObject[]): FormatSession[] {
  const problems: unknown[] = []
  const sessions = format.toSessions(file, { onProblem: problem => problems.push(problem) })
  expect({ file, problems }).toEqual({ file, problems: [] })
  return sessions
}

/** Not made of members of a record: the prompt of ShareGPT, the facts of the first rollouts. */
function isWhole({ value }: TurnItem): boolean {
  return isJsonObject(value) && value.from !== 'system' && !('session' in value)
}

function unexpected(problem: unknown): never {
  throw new Error(JSON.stringify(problem))
}

/** The file as it was before the last turns. */
function shorter(native: FileNative, talk: Parameters<FileNative['write']>[0][number], cut: number): JsonObject[] {
  return native.write([{ ...talk, turns: talk.turns.slice(0, 1 + (cut % talk.turns.length)) }])
}
