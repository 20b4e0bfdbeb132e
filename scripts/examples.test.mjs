// The examples and the guide to writing an adapter, tested as a third party has them: with our packages from their
// tarballs. Part of `npm run check`; needs the packages built.
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { codeBlocks } from './code-blocks.mjs'
import { installed } from './testing/third-party.mjs'

const runners = ['vitest', 'node-test', 'jest', 'bun-test', 'deno']
const third = await installed([
  'examples/bucket-adapter',
  'examples/native-adapter',
  ...runners.map(name => `examples/test-runners/${name}`),
])
after(() => third.remove())

const read = (...names) => readFileSync(third.path(...names), 'utf8')
const page = readFileSync(new URL('../docs/writing-an-adapter.md', import.meta.url), 'utf8')
const [documentGuide = '', nativeGuide = ''] = page.split('\n## A native store\n')
const guide = codeBlocks(documentGuide)

/** The two adapters of the guide: what stands behind their names, and what the example of their README needs. */
const adapters = [
  {
    folder: 'bucket-adapter',
    store: 'BucketSessionStore',
    blocks: guide,
    begin: [
      "const { startService } = await import('./service/service.mjs')",
      "process.env.BUCKET = (await startService()) + '/agents'",
    ],
    sources: ['src', 'test', 'service', 'tsconfig.json'],
  },
  {
    folder: 'native-adapter',
    store: 'NodeSqliteSessionStore',
    blocks: codeBlocks(nativeGuide),
    begin: [],
    sources: ['src', 'test', 'tsconfig.json'],
  },
]

/** Two at a time: the machine of a newcomer has two cores. */
describe('the examples, with our packages as they are published', { concurrency: 2 }, () => {
  for (const { folder, store, begin } of adapters) {
    it(`${folder} passes its tests and the suite; its README runs and shows the summary of the run`, async () => {
      const { code, stdout } = await npmTest(folder)
      assert.equal(code, 0, stdout)
      const readme = read(folder, 'README.md')
      const shown = normal(readme).split('\n\n')
      const summary = normal(stdout.slice(stdout.indexOf(`\n${store} passes `)).trim())
      for (const part of summary.split('\n\n')) assert.ok(shown.includes(part), `not in the README:\n${part}`)

      const [example, output] = codeBlocks(readme).filter(({ language }) => language !== 'sh')
      const file = third.path(folder, 'example.mjs')
      writeFileSync(file, [...begin, example.code].join('\n'))
      const run = await third.run('node', ['--disable-warning=ExperimentalWarning', file], { cwd: third.path(folder) })
      assert.deepEqual(run, { code: 0, stdout: output.code, stderr: '' })
    })
  }

  for (const runner of runners) {
    it(`${runner} runs the suite, skips what does not apply, and fails where the store is faulty`, async () => {
      // A part of the groups is enough to see that the runner does what it is told.
      const test = read(runner, 'conformance.test.js')
      const part = test.replace("name: 'MyStore', ", "name: 'MyStore', groups: ['records', 'copies', 'processes'], ")
      assert.notEqual(part, test)
      writeFileSync(third.path(runner, 'conformance.test.js'), part)

      const right = await npmTest(runner)
      assert.equal(right.code, 0, right.stdout + right.stderr)
      assert.match(right.stdout + right.stderr, skippedBy[runner])

      writeFileSync(third.path(runner, 'my-store.js'), faulty)
      const wrong = await npmTest(runner)
      assert.equal(wrong.code, 1, wrong.stdout + wrong.stderr)
      assert.match(wrong.stdout + wrong.stderr, /promise 8, .*: deleting what is not there: expected false, got true/)
    })
  }

  it('the command runs as the README of the suite says, by the name of the package', async () => {
    const readme = readFileSync(new URL('../packages/conformance/README.md', import.meta.url), 'utf8')
    const setup = codeBlocks(readme).find(({ code }) => code.startsWith('// setup.mjs\n'))
    writeFileSync(third.path('node-test', 'setup.mjs'), setup.code)
    const args = ['--no-install', '@turnstore/conformance', './setup.mjs', '--group', 'records']
    const { code, stdout } = await third.run('npx', args, { cwd: third.path('node-test') })
    assert.equal(code, 0, stdout)
    assert.match(stdout, /^InMemorySessionStore passes .*, only records: \d+ cases passed, in /m)
  })

  it('the command and its child processes run in Bun and in Deno too', async () => {
    copyOfAdapter('runtimes')
    const cwd = third.path('runtimes')
    await third.run(bin('tsc'), [], { cwd })
    const suite = ['node_modules/@turnstore/conformance/dist/bin.js', 'test/setup.mjs']
    for (const [runtime, ...flags] of [['bun'], ['deno', 'run', '--allow-all']]) {
      const { code, stdout } = await third.run(runtime, [...flags, ...suite, '--group', 'processes', '--json'], { cwd })
      assert.equal(code, 0, stdout)
      const report = JSON.parse(stdout)
      assert.match(report.versions.runtime.toLowerCase(), new RegExp(runtime))
      assert.equal(report.cases.filter(({ status }) => status === 'passed').length, 6)
    }
  })

  describe('the guide to writing an adapter', () => {
    for (const { folder, blocks, sources } of adapters) {
      it(`shows the files of ${folder}`, () => {
        for (const { language, title, code } of blocks) {
          if (['sh', 'text', 'diff'].includes(language) || title === 'no-check') continue
          const file = read(folder, title)
          for (const part of code.split('\n\n')) assert.ok(file.includes(part.trimEnd()), `${title} has no\n${part}`)
        }
      })

      it(`gives commands that work, from an empty folder to ${folder}`, async () => {
        const here = `from-nothing-to-${folder}`
        mkdirSync(third.path(here))
        const commands = blocks.filter(({ language }) => language === 'sh').map(({ code }) => code)
        // A native store begins with the same commands, and another name.
        const { name } = JSON.parse(read(folder, 'package.json'))
        const [install = '', ...later] = blocks === guide ? commands : [firstCommands(guide), ...commands]
        const local = Object.entries(third.tarballs).reduce((code, [ours, file]) => code.replace(ours, file), install)
        const named = local.replace('turnstore-bucket', name)
        await sh(named.replaceAll('npm install', 'npm install --prefer-offline'), here)
        for (const source of sources) {
          cpSync(third.path(folder, source), third.path(here, source), { recursive: true })
        }
        for (const code of later) await sh(code, here)
      })
    }

    it('shows six faults', () => {
      assert.equal(guide.filter(({ language }) => language === 'diff').length, 6)
    })

    for (const [index, { language, title, code }] of guide.entries()) {
      if (language !== 'diff') continue
      const output = guide[index + 1]?.code ?? ''
      const [name = '', message = ''] = output.split('\n')
      it(`shows what the suite says of a fault: ${message.trim()}`, async () => {
        const [, group = '', seed = ''] = /^ {2}again: .* --group (\w+) --seed (\d+)$/m.exec(output) ?? []
        const folder = `fault-${index}`
        copyOfAdapter(folder)
        writeFileSync(third.path(folder, title), withFault(read(folder, title), code))
        // Types that only the fault needs are not there; what it does is what counts.
        await third.run(bin('tsc'), ['--noCheck'], { cwd: third.path(folder) })
        const args = ['test/setup.mjs', '--group', group, '--seed', seed]
        const run = await third.run(bin('turnstore-conformance'), args, { cwd: third.path(folder) })
        assert.equal(run.code, 1)
        const failures = normal(run.stdout.slice(run.stdout.indexOf('\nFailures\n')))
        assert.ok(failures.includes(normal(output)), `${name}: not in\n${failures}`)
      })
    }
  })
})

function npmTest(project) {
  return third.run('npm', ['test'], { cwd: third.path(project) })
}

function firstCommands(blocks) {
  return blocks.find(({ language }) => language === 'sh')?.code ?? ''
}

/** An executable of the dependencies of the adapter. */
function bin(name) {
  return third.path('bucket-adapter', 'node_modules', '.bin', name)
}

/** The commands of a block, one after the other. */
async function sh(code, folder) {
  const { code: exit, stdout, stderr } = await third.run('sh', ['-e', '-c', code], { cwd: third.path(folder) })
  assert.equal(exit, 0, code + stdout + stderr)
}

/** With its dependencies, and to be altered at will. */
function copyOfAdapter(name) {
  cpSync(third.path('bucket-adapter'), third.path(name), { recursive: true, verbatimSymlinks: true })
}

/** The fault instead of what is right: lines with `-` instead of those with `+`, part by part. */
function withFault(source, diff) {
  return diff.split(/^@@.*\n/m).reduce((text, part) => {
    const lines = part.split('\n').slice(0, -1)
    const side = marks => lines.flatMap(line => (marks.includes(line[0] ?? ' ') ? [`${line.slice(1)}\n`] : [])).join('')
    assert.equal(text.split(side(' +')).length, 2, `the example has this once:\n${side(' +')}`)
    return text.replace(side(' +'), () => side(' -'))
  }, source)
}

/** Without what differs from run to run: races, times, versions. */
function normal(output) {
  return output.replace(/\d+(\.\d+)*/g, 'N').replace(/-{2,}| {2,}/g, ' ')
}

/** Six cases of `processes`: a store in memory is one of one process. */
const skippedBy = {
  vitest: /Tests .*\b6 skipped/,
  'node-test': /^ℹ skipped 6$/m,
  jest: /^Tests: +6 skipped/m,
  'bun-test': /^ *6 skip$/m,
  deno: /ignored \(6 steps\)/,
}

const faulty = `import { InMemorySessionStore } from '@turnstore/memory'

export class MyStore extends InMemorySessionStore {
  async deleteSession(...args) {
    await super.deleteSession(...args)
    return true
  }
}
`
