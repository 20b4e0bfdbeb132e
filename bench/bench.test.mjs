// That the benchmark still starts and judges, without its peers and without a word on speed. Part of `npm run check`.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { compare } from './comparison.mjs'

const folder = mkdtempSync(join(tmpdir(), 'turnstore-bench-test-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function bench(...args) {
  const path = join(import.meta.dirname, 'bench.mjs')
  return spawnSync(process.execPath, [path, ...args], { encoding: 'utf8', env: { ...process.env, TMPDIR: folder } })
}

describe('the benchmark', () => {
  it('measures the memory store, tells what was left out, and writes everything to one file', () => {
    const out = join(folder, 'results.json')
    const { status, stdout, stderr } = bench('memory', '--quick', '--no-peers', '--out', out)
    assert.equal(status, 0, stderr)
    const { comparisons, goals, leftOut } = JSON.parse(readFileSync(out, 'utf8'))
    const append = comparisons.find(({ title }) => title === 'memory, append')
    for (const { name, median, count } of append.rows) assert.ok(median > 0 && count >= 400, name)
    const [peer] = leftOut.filter(({ reason }) => reason === '--no-peers')
    assert.match(peer.what, /MemorySession/)
    const unjudged = goals.filter(({ work, met }) => work.startsWith('MemorySession') && met === null)
    assert.equal(unjudged.length, 2)
    assert.deepEqual(goals.find(({ title }) => title === 'memory, turns kept').seen, '64 of 64')
    assert.ok(stdout.includes(`Left out: ${peer.what} (--no-peers)`))
  })

  it('says which parts there are when asked for another', () => {
    const { status, stderr } = bench('mysql')
    assert.equal(status, 2)
    assert.match(stderr, /There is no part mysql\.\nusage: .*\[sqlite\]/)
  })
})

describe('a comparison', () => {
  const spin = rounds => async () => {
    for (let round = 0; round < rounds; round++) JSON.stringify({ round })
  }
  const works = { light: spin(1), heavy: spin(10_000), absent: null }
  const run = goals => compare({ title: '', works, floor: 'light', goals, repetitions: 20, onProgress() {} })

  it('judges each goal by the medians of two kinds of work', async () => {
    const { goals } = await run({
      heavy: [{ atMost: 2 }, { atLeast: 2 }, { of: 'heavy', atMost: 1 }],
      light: [{ of: 'heavy', atMost: 1 }],
    })
    assert.deepEqual(
      goals.map(({ met }) => met),
      [false, true, true, true],
    )
  })

  it('does not judge what was left out', async () => {
    const { goals } = await run({ absent: [{ atMost: 1000 }], light: [{ of: 'absent', atMost: 1000 }] })
    assert.deepEqual(
      goals.map(({ met }) => met),
      [null, null],
    )
  })

  it('drops no measurement', async () => {
    const { rows } = await run({})
    assert.deepEqual(
      rows.map(({ name, count }) => [name, count]),
      [
        ['light', 20],
        ['heavy', 20],
      ],
    )
  })
})
