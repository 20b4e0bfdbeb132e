import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { codeBlocks } from '../../../scripts/code-blocks.mjs'

/*
 * Runs the examples in the documentation: `js` and `sh` blocks must succeed, and print what a `text` block after them
 * says.
 */

const packageFolder = fileURLToPath(new URL('../', import.meta.url))
const root = join(packageFolder, '../..')
const adapterPages = ['memory', 'file', 'sqlite'].map(name => `packages/${name}/README.md`)
const bin = join(packageFolder, 'dist', 'bin.js')

interface Example {
  language: string
  code: string
  output: string | undefined
}

function examplesIn(readme: string): Example[] {
  const text = readFileSync(join(root, readme), 'utf8')
  const blocks = codeBlocks(text)
  return blocks.flatMap(({ language, code }, index) => {
    const next = blocks[index + 1]
    // Packages that are not published yet cannot be installed.
    return language === 'js' || (language === 'sh' && !code.startsWith('npm install'))
      ? [{ language, code, output: next?.language === 'text' ? next.code : undefined }]
      : []
  })
}

function run(readme: string, { language, code }: Example): { status: number | null; stdout: string; stderr: string } {
  // Runs inside a package that has the dependencies: the adapter's own, or this one, which depends on all packages.
  const home = adapterPages.includes(readme) ? join(root, dirname(readme)) : packageFolder
  const folder = mkdtempSync(join(home, '.example-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const options = { cwd: folder, encoding: 'utf8' } as const
  if (language === 'sh') {
    return spawnSync('sh', ['-e', '-c', `turnstore() { '${process.execPath}' '${bin}' "$@"; }\n${code}`], options)
  }
  writeFileSync(join(folder, 'example.mjs'), code)
  return spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', 'example.mjs'], options)
}

describe.each([
  'README.md',
  'docs/observability.md',
  ...['core', 'formats', 'cli'].map(name => `packages/${name}/README.md`),
  ...adapterPages,
])('the examples in %s', readme => {
  const examples = examplesIn(readme)

  it('exist', () => {
    expect(examples.length).toBeGreaterThan(0)
  })

  it.each(examples.map((example, index) => [index + 1, example] as const))('example %i runs', (_number, example) => {
    const { status, stdout, stderr } = run(readme, example)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toBe(example.output ?? stdout)
  })
})

it('each error code has a heading in the README of core', async () => {
  const { errorCodes } = await import('@turnstore/core')
  const text = readFileSync(new URL('../../core/README.md', import.meta.url), 'utf8')
  expect(errorCodes.filter(code => !text.includes(`\n### ${code}\n`))).toEqual([])
})
