import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonValue } from '@turnstore/core'
import { openStore } from 'turnstore'
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { thoroughness } from '../../../../scripts/testing/machine.ts'
import { talks } from '../../../formats/test/conversations.ts'
import { Dice, inject, mutations } from '../../../formats/test/mutations.ts'
import { fileNatives } from '../../../formats/test/native-files/index.ts'
import { natives } from '../../../formats/test/native.ts'
import { lines, temporaryFolder, turnstore } from '../turnstore.ts'

/** `TURNSTORE_THOROUGH=500` makes 100,000. */
const rounds = 200 * thoroughness

vi.setConfig({ testTimeout: 60_000 * thoroughness })

const files: readonly JsonValue[] = fc
  .sample(talks, { numRuns: 8, seed: 19 })
  .flatMap((talk, index) => [
    ...natives.map(native => native.write(talk)),
    ...natives.map(native => [{ id: `t${index}`, messages: native.write(talk), metadata: { lang: 'en' } }]),
    ...fileNatives.map(native => native.write([talk])),
  ])

/** As one value, a value a line, or lines of which the last is cut. */
function written(value: JsonValue, dice: Dice): string {
  if (!Array.isArray(value) || dice.below(3) === 0) return JSON.stringify(value)
  const text = lines(...value)
  return dice.below(6) === 0 ? text.slice(0, Math.max(1, text.length - dice.below(40))) : text
}

it('a file of mixed, cut, nested or mislabelled messages loses no text without a word, or exit code 1', async () => {
  const folder = temporaryFolder()
  const outcomes = { stored: 0, noted: 0, failed: 0 }
  for (let round = 0; round < rounds; round++) {
    const dice = new Dice(round)
    let value = structuredClone(dice.pick(files))
    for (let count = dice.below(4); count > 0; count--) value = dice.pick(mutations)(value, dice, files)
    const marker = `marker ${round} is here`
    const text = written(inject(value, dice, marker), dice)
    const file = join(folder, 'file.json')
    const target = join(folder, 'sessions')
    const url = `file:${target}`
    rmSync(target, { recursive: true, force: true })
    writeFileSync(file, text)
    const { code, stderr } = await turnstore(['import', file, '--to', url])
    expect([0, 1]).toContain(code)
    if (code === 1) {
      if (stderr === '') throw new Error(`round ${round} failed without a word: ${text.slice(0, 3000)}`)
      outcomes.failed++
      continue
    }
    const store = await openStore(url)
    const sessions = await Promise.all((await store.listSessions()).map(id => store.loadSession(id)))
    await store.close()
    const isKept = !text.includes(marker) || JSON.stringify(sessions).includes(marker)
    if (isKept) outcomes.stored++
    else if (stderr === '') throw new Error(`round ${round} lost its marker: ${text.slice(0, 3000)}`)
    else outcomes.noted++
  }
  expect(outcomes.stored).toBeGreaterThan(rounds / 20)
  expect(outcomes.failed).toBeGreaterThan(rounds / 20)
})
