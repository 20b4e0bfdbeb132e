import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { groupNames, runSuite, sessionStoreSuite, type StoreSetup, type SuiteReport } from '../../src/index.ts'
import { version } from '../../src/suite/versions.ts'
import { PlainStore } from '../plain-adapter.ts'

const folder = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = join(folder, '../dist/bin.js')

interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

function start(args: readonly string[], { env = {}, cwd = folder }: { env?: object; cwd?: string } = {}): ChildProcess {
  // What colours the output of this process must not colour that of the child.
  const { FORCE_COLOR: _force, NO_COLOR: _no, ...inherited } = process.env
  const child = spawn(process.execPath, [bin, ...args], { cwd, env: { ...inherited, ...env } })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

async function finished(child: ChildProcess): Promise<Finished> {
  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise(resolve => {
    child.on('close', code => resolve({ code, stdout, stderr }))
  })
}

const conformance = (...args: string[]): Promise<Finished> => finished(start(args))

/** A folder inside this package, where its modules are found. */
function temporaryFolder(): string {
  const path = mkdtempSync(join(folder, '.setup-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A module with a setup, beside the store of the tests. */
function setupOf(code: string, name = 'setup.mjs'): string {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, `import { MapStore } from '${folder}/command/map-store.mjs'\n${code}`)
  return path
}

const right = (): string => setupOf("export default { name: 'MapStore', open: () => new MapStore() }")

const lastWriterWins = (): string =>
  setupOf(`class Faulty extends MapStore {
    async _put(session) { return super._put(session, this.rows.get(session.sessionId)?.version ?? null) }
  }
  export default { name: 'Faulty', open: () => new Faulty() }`)

function reportIn(stdout: string): SuiteReport {
  const report: unknown = JSON.parse(stdout)
  if (!isReport(report)) throw new Error('no report')
  return report
}

function isReport(value: unknown): value is SuiteReport {
  return typeof value === 'object' && value !== null && 'cases' in value && Array.isArray(value.cases)
}

describe('the command', () => {
  it('passes a right store: a line a case, a table of the groups, and a summary', async () => {
    const groups = groupNames().filter(name => name !== 'size' && name !== 'values') // the slow ones
    const { code, stdout, stderr } = await conformance(right(), ...groups.flatMap(name => ['--group', name]))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('Records\n  ✔ ')
    expect(stdout).toMatch(/^ {2}- .* \(skipped: the setup has no `reopen`\)$/m)
    for (const group of groups) expect(stdout).toMatch(new RegExp(`^\\| ${group} +\\| +\\d+ +\\| 0 +\\|`, 'm'))
    expect(stdout).toMatch(/^MapStore passes \[.*\]\(.*\) .*, only records, .*: \d+ cases passed, \d+ skipped, in /m)
    expect(stdout).toContain('It declares durability `none`, sharing `process`, constantAppend `false`.')
    expect(stdout).toMatch(/^\| 2\. no lost update +\| kept +\| \d+ +\|$/m)
    // oxlint-disable-next-line no-control-regex -- no escape sequence where there is no terminal
    expect(stdout).not.toMatch(/\u001b/)
  })

  it('fails a faulty one: what is wrong, and how to see it again', async () => {
    const setup = lastWriterWins()
    const { code, stdout } = await conformance(setup, '--group', 'records', '--group', 'concurrency', '--seed', '7')
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^ {2}✖ applies the appends of 64 callers .*\n {6}promise 2, no lost update: .*both given revision/m,
    )
    const failures = stdout.slice(stdout.indexOf('\nFailures\n'))
    expect(failures).toContain('✖ concurrency: applies the appends of 64 callers')
    expect(failures).toContain(`again: npx @turnstore/conformance ${setup} --group concurrency --seed 7`)
    expect(failures).toMatch(/^\| records +\| \d+ +\| 0 /m)
    expect(failures).toMatch(/^Faulty does not pass .*, only records, concurrency: /m)
    expect(failures).toMatch(/^\| 2\. no lost update +\| broken +\| \d+ of \d+ failed \|$/m)
    expect(failures).toMatch(/^\| 9\. .* +\| not tested /m)
  })

  it('brings a random failure back by its seed', async () => {
    const setup = setupOf(`class Faulty extends MapStore {
      async _put(session, token) {
        return super._put({ ...session, agentTransitions: session.agentTransitions.slice(0, 1) }, token)
      }
    }
    export default { name: 'Faulty', open: () => new Faulty() }`)
    const runs = await Promise.all([1, 2].map(() => conformance(setup, '--group', 'model', '--seed', '42', '--json')))
    const messages = runs.map(({ stdout }) => reportIn(stdout).cases[0]?.message ?? '')
    expect(messages[0]).toContain('seed: 42')
    expect(messages[1]).toBe(messages[0])
  })

  it('--json prints one document: the summary, and each case with promise, status, message and time', async () => {
    const { code, stdout, stderr } = await conformance(lastWriterWins(), '--group', 'concurrency', '--json')
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    const report = reportIn(stdout)
    expect(report).toMatchObject({
      name: 'Faulty',
      ok: false,
      complete: false,
      capabilities: { sharing: 'process' },
      versions: { runtime: `Node ${process.versions.node}` },
    })
    expect(report.cases.length).toBe(report.passed + report.failed + report.skipped)
    const failure = report.cases.find(({ status }) => status === 'failed')
    expect(failure).toMatchObject({ group: 'concurrency', promise: 2, clause: 'promise 2, no lost update' })
    expect(failure?.message).toContain('promise 2, no lost update: ')
    expect(failure?.durationMs).toBeGreaterThan(0)
    expect(report.cases.find(({ status }) => status === 'skipped')?.message).toBe('the setup has no `reopen`')
    expect(report.promises.map(({ number, status }) => [number, status]).slice(0, 2)).toEqual([
      [1, 'untested'],
      [2, 'broken'],
    ])
  })

  it('--thorough runs larger sizes', async () => {
    const { stdout } = await conformance(right(), '--group', 'model', '--thorough', '--json')
    expect(reportIn(stdout)).toMatchObject({ thorough: true, ok: true })
  })

  it('takes a function that gives the setup', async () => {
    const setup = setupOf(`export default async () => ({
      name: 'Late', open: () => new MapStore(), groups: ['copies']
    })`)
    const { code, stdout } = await conformance(setup)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Late passes .* only copies: /m)
  })

  it('counts an unhandled error as a failure of the current case', async () => {
    const setup = setupOf(`class Stray extends MapStore {
      async _delete(id, token) {
        void Promise.reject(new Error('left alone'))
        return super._delete(id, token)
      }
    }
    export default { name: 'Stray', open: () => new Stray(), groups: ['records'] }`)
    const { code, stdout } = await conformance(setup)
    expect(code).toBe(1)
    expect(stdout).toContain('unhandled error: Error: left alone')
  })

  it('prints what a store puts into an error without what would move the cursor', async () => {
    const setup = setupOf(`class Odd extends MapStore {
      async loadSession() { throw new Error('\\u001b[2J') }
    }
    export default { name: 'Odd', open: () => new Odd(), groups: ['records'] }`)
    const { stdout } = await conformance(setup)
    expect(stdout).toContain('Error: ␛[2J')
  })

  it('colours where it is told to, and not where NO_COLOR is set', async () => {
    const setup = right()
    const coloured = await finished(start([setup, '--group', 'copies'], { env: { FORCE_COLOR: '1' } }))
    expect(coloured.stdout).toContain('\u001b[32m✔')
    const plain = await finished(start([setup, '--group', 'copies'], { env: { NO_COLOR: '1' } }))
    expect(plain.stdout).toContain('  ✔')
  })

  it('prints help and version', async () => {
    const help = await conformance('--help')
    expect(help.code).toBe(0)
    expect(help.stdout).toContain('--group <name>')
    expect(await conformance('--version')).toEqual({ code: 0, stdout: `${version()}\n`, stderr: '' })
  })
})

describe('wrong usage is reported in one sentence, with exit code 2', () => {
  const setup = (rest: string) => setupOf(`export default { name: 'X', ${rest} }`)
  const cases: [name: string, args: () => string[], sentence: RegExp][] = [
    ['no module', () => [], /missing required argument 'setup'/],
    ['a missing module', () => ['./nowhere.mjs'], /^File not found: \.\/nowhere\.mjs$/m],
    ['two modules', () => [right(), right()], /too many arguments/],
    ['an unknown option', () => [right(), '--fast'], /unknown option '--fast'/],
    ['a seed that is no number', () => [right(), '--seed', 'x'], /whole number/],
    ['an unknown group', () => [right(), '--group', 'record'], /Unknown group\. The groups are records, /],
    [
      'a group of the setup that is unknown',
      () => [setup("open: () => new MapStore(), groups: ['x']")],
      /^Unknown group x; the groups are records, /,
    ],
    ['no group at all', () => [setup('open: () => new MapStore(), groups: []')], /^`groups` is empty/],
    ['a setup without open', () => [setup('')], /must export a setup as its default/],
    [
      'a module without a default export',
      () => [setupOf('export const setup = 1')],
      /must export a setup as its default/,
    ],
    [
      'a module that throws',
      () => [setupOf("throw new RangeError('not today')")],
      /^Cannot load .*: RangeError: not today \(file:.*setup\.mjs:2:7\)$/m,
    ],
    ['a module that is no module', () => [setupOf('export default {')], /^Cannot load .*: SyntaxError: .*$/m],
    [
      'a function that throws',
      () => [setupOf("export default () => { throw new RangeError('not today') }")],
      /^The default export of .* failed: RangeError: not today/m,
    ],
    [
      'no way to open the data from a child process, though they are shared',
      () => [
        setupOf(`class Shared extends MapStore { capabilities = { durability: 'none', sharing: 'host' } }
          export default { name: 'Shared', open: () => new Shared(), reopen: store => store }`),
      ],
      /^Shared declares sharing 'host', so the setup needs `child`$/m,
    ],
  ]

  it.each(cases)('%s', async (_name, args, sentence) => {
    const { code, stdout, stderr } = await conformance(...args())
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(sentence)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

describe('a store that cannot be opened, or does not let go', () => {
  it('says what went wrong in opening, with exit code 1', async () => {
    const setup = setupOf("export default { name: 'X', open: () => { throw new Error('no server') } }")
    const { code, stderr } = await conformance(setup)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^The store cannot be opened: Error: no server \(file:.*\)\n$/)
  })

  it('says so when nothing is left that the store could wait for', async () => {
    const { code, stderr } = await conformance(setupOf('export default () => new Promise(() => {})'))
    expect(code).toBe(1)
    expect(stderr).toMatch(/waits for something that never happens/)
  })

  it('ends and says so when something keeps the process alive', async () => {
    const setup = setupOf(`import { createServer } from 'node:net'
      class Lingering extends MapStore {
        constructor() { super(); createServer().listen(0, '127.0.0.1') }
      }
      export default { name: 'Lingering', open: () => new Lingering(), groups: ['copies'] }`)
    const { code, stdout, stderr } = await conformance(setup)
    expect(code).toBe(0)
    expect(stdout).toContain('Lingering passes')
    expect(stderr).toMatch(/^The process does not exit .*leaves something open \(TCP\w+\)/)
  })
})

describe('what ends it early', () => {
  /** Its first case opens child processes that never get ready. */
  function hanging(): { setup: string; path: (name: string) => string } {
    const setup = setupOf(`import { appendFileSync, writeFileSync } from 'node:fs'
      class Shared extends MapStore { capabilities = { durability: 'none', sharing: 'host', constantAppend: false } }
      const here = name => new URL(name, import.meta.url)
      export default {
        name: 'Shared',
        open: () => new Shared(),
        reopen: store => store,
        child: () => ({ module: here('child.mjs') }),
        destroy: () => appendFileSync(here('destroyed'), 'x'),
        groups: ['processes'],
      }`)
    const path = (name: string): string => join(dirname(setup), name)
    writeFileSync(
      path('child.mjs'),
      `import { appendFileSync } from 'node:fs'
      appendFileSync(new URL('pids', import.meta.url), process.pid + '\\n')
      setInterval(() => {}, 1000)
      export default () => new Promise(() => {})`,
    )
    return { setup, path }
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s: the children are killed and the stores destroyed', async (signal, expected) => {
    const { setup, path } = hanging()
    const child = start([setup])
    const end = finished(child)
    const pids = (): number[] =>
      existsSync(path('pids')) ? readFileSync(path('pids'), 'utf8').split('\n').filter(Boolean).map(Number) : []
    while (pids().length < 4 && child.exitCode === null) await sleep(20)
    child.kill(signal)
    const { code, stderr } = await end
    expect({ code, stderr }).toEqual({ code: expected, stderr: 'Stopped early; the stores are closed.\n' })
    // That of the first look at the capabilities, and that of the case.
    expect(readFileSync(path('destroyed'), 'utf8')).toBe('xx')
    for (const pid of pids()) await gone(pid)
  })

  it('a reader who has enough: no stack, and no success, since nobody knows', async () => {
    const child = start([right()])
    const end = finished(child)
    child.stdout?.once('data', () => child.stdout?.destroy())
    const { code, stderr } = await end
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  })
})

/** Resolves when there is no such process any more; the limit is that of the test. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(20)
  }
}

describe('runSuite', () => {
  it('runs the suite in a program and reports', async () => {
    const seen: string[] = []
    const report = await runSuite(
      { name: 'PlainStore', open: () => new PlainStore(), groups: ['copies', 'ids'] },
      { onGroup: ({ name }) => seen.push(name) },
    )
    expect(report).toMatchObject({ ok: true, failed: 0, complete: false })
    expect(report.groups.map(({ name }) => name)).toEqual(seen)
    expect(report.promises.find(({ number }) => number === 6)).toMatchObject({ status: 'kept', failed: 0 })
  })

  it('runs the cases that a test runner would run', async () => {
    const setup = { name: 'PlainStore', open: () => new PlainStore(), groups: ['scope', 'processes'] as const }
    const names = (await collect(setup)).map(name => name.replace(/ \(skipped: .*\)$/, ''))
    expect((await runSuite(setup)).cases.map(({ name }) => name)).toEqual(names)
  })

  it.each(groupNames())('has a name of its own for each case of %s: a report can be read by name', async group => {
    const names = await collect({ name: 'PlainStore', open: () => new PlainStore(), groups: [group] })
    expect(names.length).toBeGreaterThan(0)
    expect(names).toEqual([...new Set(names)])
  })
})

/** The names that a test runner is given. */
async function collect(setup: StoreSetup): Promise<string[]> {
  const names: string[] = []
  const it = Object.assign((name: string) => names.push(name), { skip: (name: string) => names.push(name) })
  await sessionStoreSuite({ ...setup, describe: (_name, body) => body(), it })
  return names
}
