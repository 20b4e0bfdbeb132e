import type { JsonValue, MessageProblem, TurnRecord } from '@turnstore/core'
import { isTurnstoreError } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { thoroughness } from '../../../scripts/testing/machine.ts'
import { type Format, type FormatSession, formats, recognize } from '../src/index.ts'
import { talks } from './conversations.ts'
import { Dice, inject, mutations, plant } from './mutations.ts'
import { natives } from './native.ts'
import { fileNatives } from './native-files/index.ts'

/** `TURNSTORE_THOROUGH=50` makes 100,000. */
const rounds = 2000 * thoroughness

vi.setConfig({ testTimeout: 60_000 * thoroughness })

const files: readonly JsonValue[] = fc
  .sample(talks, { numRuns: 12, seed: 26 })
  .flatMap((talk, index, all) => [
    ...natives.map(native => native.write(talk)),
    ...fileNatives.map(native => native.write([talk, all[(index + 1) % all.length] ?? talk])),
  ])

const writers = formats.filter(each => 'fromTurns' in each)

it('A file of mixed, cut, nested or mislabelled messages loses no text without a word', () => {
  const outcomes = { refused: 0, read: 0, kept: 0, told: 0 }
  for (let round = 0; round < rounds; round++) {
    const dice = new Dice(round)
    let value = structuredClone(dice.pick(files))
    for (let count = dice.below(4); count > 0; count--) value = dice.pick(mutations)(value, dice, files)
    const markers = Array.from({ length: 1 + dice.below(3) }, (_, index) => `marker ${round} number ${index} is here`)
    for (const marker of markers) value = inject(value, dice, marker)
    const present = markers.filter(marker => holds(value, marker))

    const found = recognize(value)
    if ('problem' in found) outcomes.refused++
    // Also as what it is not: the caller may insist.
    const format = 'format' in found && dice.below(4) > 0 ? found.format : dice.pick(formats)
    const read = readAs(format, value)
    if (read === null) continue
    outcomes.read++
    const fail = (what: string): never => {
      throw new Error(`round ${round}: ${format.name} ${what}: ${shown(value)}`)
    }
    const missing = present.filter(marker => !holds(read.sessions, marker))
    if (missing.length === 0) outcomes.kept++
    else if (read.problems.some(({ loss }) => loss !== 'none')) outcomes.told++
    else fail(`lost ${missing.join(', ')}`)
    // A tool may keep files of notes alone, and a system message has no place in a turn but its item.
    const isSilent =
      present.length > 0 && read.problems.length === 0 && isOfMessages(format) && !holds(value, '"system"')
    if (isSilent && read.sessions.every(({ turns }) => turns.every(isEmpty))) fail('reads nothing')
    const isSame = round % 8 > 0 || JSON.stringify(readAs(format, structuredClone(value))) === JSON.stringify(read)
    if (!isSame) fail('reads otherwise the second time')
    for (const { turns } of read.sessions.slice(0, 2)) {
      const written = dice.pick(writers).fromTurns?.(turns, { incomplete: 'keep' })
      if (written?.messages.every(isJsonObject) !== true) fail('cannot be written')
    }
  }
  // All ways are taken, or it would say nothing.
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(rounds / 100)
})

it('A file that is nested without end is read or refused', () => {
  const outcomes = { refused: 0, read: 0 }
  let deep: JsonValue = 'The end'
  for (let depth = 0; depth < 50_000; depth++) deep = depth % 2 === 0 ? [deep] : { a: deep }
  for (const [index, file] of files.slice(0, natives.length + fileNatives.length).entries()) {
    for (let count = 0; count < 40; count++) {
      const value = plant(structuredClone(file), new Dice(index * 40 + count), deep)
      const found = recognize(value)
      for (const format of 'format' in found ? [found.format] : formats) {
        if (readAs(format, value) === null) outcomes.refused++
        else outcomes.read++
      }
    }
  }
  expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(20)
})

/** ShareGPT's files hold lists of messages. */
function isOfMessages({ name }: Format): boolean {
  return name !== 'sharegpt' && natives.some(native => native.name === name)
}

function isEmpty({ prompt, responseContent, toolCalls }: TurnRecord): boolean {
  return prompt === '' && responseContent === null && toolCalls.length === 0
}

interface Read {
  readonly sessions: Pick<FormatSession, 'turns'>[]
  readonly problems: MessageProblem[]
}

/** Null if the format refuses the value, as it does: with an error of Turnstore. */
function readAs(format: Format, value: JsonValue): Read | null {
  const problems: MessageProblem[] = []
  const onProblem = (problem: MessageProblem): void => void problems.push(problem)
  try {
    return { sessions: format.toSessions(value, { onProblem }), problems }
  } catch (error) {
    if (isTurnstoreError(error)) return null
    throw new Error(`${format.name} threw`, { cause: error })
  }
}

function holds(value: unknown, marker: string): boolean {
  return JSON.stringify(value).includes(marker)
}

function shown(value: JsonValue): string {
  return JSON.stringify(value).slice(0, 3000)
}
