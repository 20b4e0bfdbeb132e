import { type ChildProcess, execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { mayMount, momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { type Server, startServer } from '../../../redis/test/servers.ts'
import { type Finished, finished, ids, lines, parseObject, start, temporaryFolder, turnstore } from '../turnstore.ts'

/*
 * An import and a copy that are stopped say what they did, and a second run does the rest. Before, Ctrl-C said nothing
 * and a full disk gave no count.
 */

vi.setConfig({ testTimeout: 120_000 * thoroughness, hookTimeout: 60_000 })

const SESSIONS = 400

/** So many runs are stopped in the middle of their work. Others are stopped before it or have just ended. */
const STOPPED = thoroughness
const MOST_ROUNDS = 40 * STOPPED

let server: Server

beforeAll(async () => {
  server = await startServer()
})

afterAll(() => server.stop())

const records = Array.from({ length: SESSIONS }, (_, index) => ({
  id: `s${index}`,
  messages: [
    { role: 'user', content: `question ${index}` },
    { role: 'assistant', content: 'answer '.repeat(100) },
  ],
}))

function fileOfRecords(folder: string, sessions: number = SESSIONS): string {
  const file = join(folder, 'chats.jsonl')
  writeFileSync(file, lines(...records.slice(0, sessions)))
  return file
}

const goOn = 'Run the same command again to go on: it adds what is missing\n'

/** What the last line says was added, at least and at most. */
function addedBy({ stderr }: Finished): { least: number; most: number } {
  const last = stderr.trimEnd().split('\n').at(-1) ?? ''
  if (!stderr.endsWith(goOn)) return { least: Infinity, most: 0 }
  const [, added = 'NaN'] =
    /^(?:Interrupted|Stopped) after \S+ sessions?: (\d+) added, 0 grown, 0 unchanged\b/.exec(last) ?? []
  const [, doubtful = '0'] = /; (\d+) more sessions? may have been stored/.exec(last) ?? []
  return { least: Number(added), most: Number(added) + Number(doubtful) }
}

/** How long a run takes, in milliseconds. */
async function timeOf(args: readonly string[]): Promise<number> {
  const begun = performance.now()
  await finished(start(args))
  return performance.now() - begun
}

describe.each(['import', 'copy'])('%s, stopped at a random moment', command => {
  it.each(['file', 'sqlite', 'redis'])('says what it added, and a second run adds the rest: %s', async kind => {
    const seed = Date.now() % 100_000
    const moments = momentsOf(seed)
    const folder = temporaryFolder()
    // Each is a file that is synced.
    const file = fileOfRecords(folder, kind === 'file' ? SESSIONS / 4 : SESSIONS)
    const source = `sqlite:${join(folder, 'source.db')}`
    await turnstore(['import', file, '--to', source])
    const exported = (await turnstore(['export'], { url: source })).stdout
    const targetOf = (name: string): string => (kind === 'redis' ? server.url : `${kind}:${join(folder, name)}`)
    const argsTo = (to: string): string[] =>
      command === 'import' ? ['import', file, '--to', to] : ['copy', '--from', source, '--to', to]
    const rounds: { round: number; isRight: boolean }[] = []
    // The span in which a signal stops the work. It narrows with each run that a signal missed.
    const span: readonly [number, number] = [0, await timeOf(argsTo(targetOf('timed')))]
    let [earliest, latest] = span
    for (let round = 0; rounds.length < STOPPED && round < MOST_ROUNDS; round++) {
      if (kind === 'redis') await server.admin.flushall()
      const to = targetOf(`${round}`)
      const args = argsTo(to)
      const [signal, code] = round % 2 === 0 ? (['SIGINT', 130] as const) : (['SIGTERM', 143] as const)
      const child = start(args)
      const done = finished(child)
      const moment = earliest + moments.next().value * (latest - earliest)
      await sleep(moment)
      child.kill(signal)
      const result = await done
      // Before Node has begun, a signal ends it as any process; after the last session, it has no effect.
      if (result.signal === null && result.code !== 0) {
        const stored = (await ids(to)).length
        const { least, most } = addedBy(result)
        const isRight = result.code === code && result.stdout === '' && least <= stored && stored <= most
        rounds.push({ round, isRight, ...(isRight ? {} : { stored, result }) })
        ;[earliest, latest] = span
      } else if (result.signal === null) {
        latest = moment
      } else {
        earliest = moment
      }
      if (latest - earliest < 1) [earliest, latest] = span
      expect(await turnstore(args)).toMatchObject({ code: 0 })
      expect((await turnstore(['export'], { url: to })).stdout).toBe(exported)
    }
    expect({ seed, wrong: rounds.filter(({ isRight }) => !isRight) }).toEqual({ seed, wrong: [] })
    expect(rounds).toHaveLength(STOPPED)
  })
})

describe('a server that stops answering in the middle of an import', () => {
  const HALF = SESSIONS / 2

  /** Stops the server when half of the records are stored, and gives the import the rest. */
  async function importUntilStopped(...options: string[]): Promise<ChildProcess> {
    await server.admin.flushall()
    const child = start(['import', '-', '--to', server.url, ...options])
    child.stdin?.on('error', () => {})
    child.stdin?.write(lines(...records.slice(0, HALF)))
    while ((await ids(server.url)).length < HALF) await sleep(5)
    server.signal('SIGSTOP')
    child.stdin?.end(lines(...records.slice(HALF)))
    return child
  }

  async function expectRight(result: Finished): Promise<void> {
    server.signal('SIGCONT')
    const { least, most } = addedBy(result)
    const stored = (await ids(server.url)).length
    expect({ least, isRight: least <= stored && stored <= most }).toEqual({ least: HALF, isRight: true })
    const again = await turnstore(['import', '-'], { url: server.url, input: lines(...records) })
    expect(again).toMatchObject({ code: 0 })
    expect(await ids(server.url)).toHaveLength(SESSIONS)
  }

  it('is named soon, and Ctrl-C ends the import at once, with the count', async () => {
    // No machine is slow enough to take a wait of two minutes for an end at once.
    const child = await importUntilStopped('--timeout', '120')
    const done = finished(child)
    const pressed = await new Promise<number>(resolve => {
      child.stderr?.on('data', (chunk: Buffer) => {
        if (!chunk.toString().startsWith('Waiting for redis://')) return
        child.kill('SIGINT')
        resolve(performance.now())
      })
    })
    const result = await done
    expect([result.code, performance.now() - pressed < 30_000]).toEqual([130, true])
    await expectRight(result)
  })

  it('ends the import after --timeout, with the count', async () => {
    const result = await finished(await importUntilStopped('--timeout', '0.8'))
    expect([result.code, result.stdout]).toEqual([1, ''])
    expect(result.stderr).toMatch(/^Redis cannot be reached[^\n]*\nStopped after [^\n]*\n$/)
    await expectRight(result)
  })
})

it('--json prints the count of an interrupted import', async () => {
  const child = start(['import', '-', '--json', '--to', `file:${join(temporaryFolder(), 'store')}`])
  const done = finished(child)
  // Larger than the buffers of pipe and stream, so that the first records are read.
  const isWritten = new Promise(resolve => child.stdin?.write(lines(...records), resolve))
  await isWritten
  await sleep(200)
  child.kill('SIGINT')
  const { code, stdout } = await done
  expect([code, parseObject(stdout)]).toMatchObject([130, { complete: false, grown: 0, left_out: 0 }])
  expect(parseObject(stdout).added).toBeGreaterThan(0)
})

describe.skipIf(!mayMount)('a full disk', () => {
  it.each(['file', 'sqlite'])('ends an import with the count, and a second run adds the rest: %s', async kind => {
    const folder = temporaryFolder()
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=500k', 'none', disk])
    onTestFinished(() => void execFileSync('umount', ['-l', disk]))
    const file = fileOfRecords(folder)
    const args = ['import', file, '--to', `${kind}:${join(disk, 'store')}`]
    const { code, stdout, stderr } = await turnstore(args)
    expect([code, stdout]).toEqual([1, ''])
    const [reason = '', counts = '', ...rest] = stderr.split('\n')
    expect(reason).toMatch(/no space left|ENOSPC/)
    expect(rest).toEqual([''])
    const [, added] = /^Stopped after \d+ sessions: (\d+) added, .*Run the same command again/.exec(counts) ?? []
    execFileSync('mount', ['-o', 'remount,size=50m', disk])
    const stored = (await ids(`${kind}:${join(disk, 'store')}`)).length
    expect(Number(added)).toBe(stored)
    const left = SESSIONS - stored
    expect(await turnstore(args)).toMatchObject({
      code: 0,
      stdout: `${SESSIONS} sessions: ${left} added, 0 grown, ${SESSIONS - left} unchanged\n`,
    })
  })
})
