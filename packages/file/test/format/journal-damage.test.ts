import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isThorough } from '../../../../scripts/testing/machine.ts'
import { append, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'
import { failureCode, leaveSession, load, put } from '../left-session.ts'

const folder = new Folder()

describe('a file that was cut short', () => {
  it('is reported if it is a document, cut at any byte', async () => {
    const files = await leaveSession(folder)
    const base = put(folder, files)
    for (let length = 0; length < files.document.length; length += isThorough ? 1 : 13) {
      writeFileSync(`${base}/s.json`, files.document.subarray(0, length))
      expect([length, await load(folder, base)]).toEqual([length, 'CORRUPT_SESSION'])
    }
    writeFileSync(`${base}/s.json`, files.document.subarray(0, -1))
    expect(await load(folder, base)).toBe('CORRUPT_SESSION')
  })

  it('has the complete changes if it is a journal, cut at any byte, and takes the next', async () => {
    const files = await leaveSession(folder)
    const ends = [...files.journal.entries()].filter(([, byte]) => byte === 10).map(([index]) => index)
    const states: string[] = []
    for (const end of [0, ...ends.slice(1)])
      states.push(await load(folder, put(folder, { ...files, journal: files.journal.subarray(0, end && end + 1) })))
    expect(new Set(states).size).toBe(4)
    const wholeAt = (length: number): number => ends.slice(1).filter(end => end <= length).length
    // The bytes around the ends, and some of the others.
    const isTried = (length: number): boolean =>
      isThorough || length % 7 === 0 || ends.some(end => Math.abs(end - length) <= 2)
    const lengths = Array.from({ length: files.journal.length + 1 }, (_, length) => length).filter(isTried)
    for (const length of lengths) {
      const base = put(folder, { ...files, journal: files.journal.subarray(0, length) })
      expect([length, await load(folder, base)]).toEqual([length, states[wholeAt(length)]])
      rmSync(base, { recursive: true })
    }
    for (const length of lengths.filter(each => ends.includes(each) || each % (isThorough ? 1 : 60) === 0)) {
      const base = put(folder, { ...files, journal: files.journal.subarray(0, length) })
      const store = folder.open({}, base)
      const { revision } = await store.changeSession('s', append('next'))
      expect([length, revision]).toEqual([length, wholeAt(length) + 2])
      expect(await load(folder, base)).toContain('"next"')
      await store.changeSession('s', append('after'))
      await store.close()
      expect(readdirSync(base).toSorted()).toEqual(['.turnstore', 's.json'])
      expect(turnIdsOf(await folder.open({}, base).loadSession('s'))?.slice(-2)).toEqual(['next', 'after'])
    }
  })

  it('is read without the NULs that a power cut left after the end', async () => {
    const files = await leaveSession(folder)
    const whole = await load(folder, put(folder, files))
    const withoutLast = await load(folder, put(folder, { ...files, journal: files.journal.subarray(0, -40) }))
    for (const cut of [0, 1, 5, 40]) {
      for (const nuls of [1, 100, 4096]) {
        const kept = files.journal.subarray(0, files.journal.length - cut)
        const base = put(folder, { ...files, journal: Buffer.concat([kept, Buffer.alloc(nuls)]) })
        const state = await load(folder, base)
        expect(state).toBe(cut <= 1 ? whole : withoutLast)
        const store = folder.open({}, base)
        await store.changeSession('s', append('next'))
        expect(turnIdsOf(await folder.open({}, base).loadSession('s'))?.at(-1)).toBe('next')
        await store.close()
      }
    }
  })
})

describe('a changed byte', () => {
  it('in an acknowledged change never gives a wrong session', async () => {
    const files = await leaveSession(folder)
    const whole = await load(folder, put(folder, files))
    const base = put(folder, files)
    const store = folder.open({}, base)
    const wrong: string[] = []
    const step = isThorough ? 1 : 48
    for (let index = 0; index < files.journal.length; index++) {
      const before = files.journal[index] ?? 0
      // Every bit, and the bytes with a meaning in a journal: a line break, a NUL, a digit, a space.
      const others = [...Array.from({ length: 8 }, (_, bit) => before ^ (1 << bit)), 10, 0, 48, 32, 97]
      const tried = isCritical(files.journal, index) ? others : others.filter((_, i) => (i + index) % step === 0)
      for (const other of tried) {
        if (other === before) continue
        const journal = Buffer.from(files.journal)
        journal[index] = other
        // A new file each time: a process that did not write it finds the damage.
        rmSync(`${base}/s.journal`)
        writeFileSync(`${base}/s.journal`, journal)
        const fresh = folder.open({}, base)
        const state = await fresh.loadSession('s').then(JSON.stringify, failureCode)
        if (state !== whole && state !== 'CORRUPT_SESSION') wrong.push(`byte ${index}: ${before} -> ${other}`)
        await fresh.close()
      }
    }
    await store.close()
    expect(wrong).toEqual([])
  })

  /** Whether the byte is in the front of a record, or among its last bytes. */
  function isCritical(journal: Buffer, index: number): boolean {
    const begin = journal.lastIndexOf(10, index - 1) + 1
    return index - begin < 30 || journal.indexOf(10, index) - index < 3
  }
})
