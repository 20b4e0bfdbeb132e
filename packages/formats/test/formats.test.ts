import type { JsonObject } from '@turnstore/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Format, formats, recognize, writableFormat } from '../src/index.ts'
import { expectValid } from './checkers.ts'
import { talks } from './conversations.ts'
import { natives } from './native.ts'
import { asTold, expected, named, saidIn, sayFailure, turnsOf } from './told.ts'

const runs = { numRuns: 60 }

describe.each(natives)('$name, a conversation as its SDK writes it', native => {
  const format = named(native.name)

  it('is recognized, and says in turns what it said', () => {
    fc.assert(
      fc.property(talks, talk => {
        const messages = native.write(talk)
        const found = messages.some(isTelling) ? formatsOf(recognize(messages)) : [format.name]
        expect(found).toContain(format.name)
        expect(saidIn(turnsOf(format, messages))).toEqual(expected(talk, native))
      }),
      runs,
    )
  })

  it('comes back exactly from its items', () => {
    fc.assert(
      fc.property(talks, talk => {
        const messages = native.write(talk)
        expect(format.fromTurns?.(turnsOf(format, messages))).toEqual({ messages, lost: [] })
      }),
      runs,
    )
  })

  it('gives the same turns again, and only the last one changes as it grows', () => {
    fc.assert(
      fc.property(talks, fc.nat(), (talk, cut) => {
        const messages = native.write(talk)
        const turns = turnsOf(format, messages)
        expect(turnsOf(format, messages)).toEqual(turns)
        const fewer = turnsOf(format, messages.slice(0, cut % (messages.length + 1)))
        expect(turns.slice(0, Math.max(0, fewer.length - 1))).toEqual(fewer.slice(0, -1))
      }),
      runs,
    )
  })

  for (const target of formats.filter(each => 'fromTurns' in each)) {
    it(`goes out as ${target.name}, as its validator wants it, and says the same`, async () => {
      await fc.assert(
        fc.asyncProperty(talks, async talk => {
          const turns = turnsOf(format, native.write(talk))
          const { messages = [], system } = target.fromTurns?.(turns) ?? {}
          if (target === format) return
          await expectValid(target.name, messages)
          const isApart = native.system !== undefined && hasNoSystem(target)
          expect(system).toBe(isApart ? (talk.system ?? undefined) : system)
          const again = saidIn(turnsOf(target, messages))
          const saysFailure = sayFailure.has(target.name)
          expect(again.map(turn => asTold(turn, saysFailure))).toEqual(
            saidIn(turns).map(turn => asTold(turn, saysFailure)),
          )
        }),
        runs,
      )
    })
  }
})

/** Messages without calls are written alike in some formats: the first of them is taken. */
function formatsOf(found: ReturnType<typeof recognize>): string[] {
  const name = 'format' in found ? found.format.name : ''
  return [name, ...(alike.find(group => group[0] === name) ?? [])]
}

const alike = [
  ['chat', 'ai-sdk-model', 'anthropic'],
  ['openai-responses', 'openai-agents'],
]

/** Whether a message can be of no other format. Plain text with a role is chat completions. */
function isTelling({ content, parts, toolInvocations, from, kwargs, data }: JsonObject): boolean {
  return Array.isArray(content) || [parts, toolInvocations, from, kwargs, data].some(each => each !== undefined)
}

function hasNoSystem({ name }: Format): boolean {
  return name === 'anthropic' || name === 'gemini' || name === 'claude-code'
}

describe.each(['anthropic', 'claude-code'])('A conversation that the assistant begins, as %s', name => {
  it('has a message of the user in front, as the API refuses any other', async () => {
    const turns = named('chat').toTurns([
      { role: 'assistant', content: 'May I help?' },
      { role: 'user', content: 'Yes.' },
    ])
    const { messages } = writableFormat(name).fromTurns(turns)
    expect(messages).toHaveLength(3)
    await expectValid(name, messages)
  })
})

describe('A format that is to be written', () => {
  it('is refused if there is none, or none that can be written', () => {
    for (const name of ['none', 'chatgpt']) {
      expect(() => writableFormat(name)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    }
  })
})
