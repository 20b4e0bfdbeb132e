import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { newFolder } from './stores.ts'

/* Who installs one adapter and one store gets no other SDK, and needs none. */

const root = join(import.meta.dirname, '..')
const modules = join(import.meta.dirname, 'node_modules')
const stores = ['memory', 'file', 'sqlite', 'redis', 'postgres']
const drivers = new Set(['better-sqlite3', 'ioredis', 'pg'])

const adapters = [
  { name: 'openai-agents', sdk: '@openai/agents-core', made: 'new TurnstoreSession({ store })' },
  { name: 'ai-sdk', sdk: 'ai', made: 'new TurnstoreChats({ store })' },
  { name: 'claude-agent-sdk', sdk: null, made: 'new TurnstoreSessionStore({ store })' },
]

/** What npm installs with a package of ours: what it depends on, and its peers. */
function installedWith(name: string, into = new Set<string>()): Set<string> {
  if (into.has(name)) return into
  into.add(name)
  if (!name.startsWith('@turnstore/')) return into
  const manifest: unknown = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'))
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) {
    for (const each of Object.keys(memberOf(manifest, kind))) installedWith(each, into)
  }
  return into
}

function memberOf(value: unknown, name: string): object {
  const member: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return typeof member === 'object' && member !== null ? member : {}
}

/** What the files of a package import, without its own files. */
function importsOf(name: string): Set<string> {
  const dist = join(modules, name, 'dist')
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter(file => /\.(js|d\.ts)$/.test(file))
  const imports = files.flatMap(file => [
    ...readFileSync(join(dist, file), 'utf8').matchAll(/\b(?:from|import)\s*\(?\s*["']([@a-z][\w@/:.-]*)["']/g),
  ])
  return new Set(imports.map(([, specifier = '']) => packageOf(specifier)))
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

describe.each(adapters)('@turnstore/$name', ({ name, sdk, made }) => {
  const adapter = `@turnstore/${name}`
  const own = ['@turnstore/core', '@turnstore/formats', ...(sdk === null ? [] : [sdk])]

  it.each(stores)('with the store %s brings no other SDK', store => {
    const installed = installedWith(`@turnstore/${store}`, installedWith(adapter))
    const others = [...installed].filter(each => !drivers.has(each))
    expect(others.toSorted()).toEqual([adapter, `@turnstore/${store}`, ...own].toSorted())
  })

  it('imports nothing else, types included', () => {
    for (const each of [adapter, '@turnstore/formats', '@turnstore/core']) {
      const others = [...importsOf(each)].filter(one => !one.startsWith('node:') && !own.includes(one))
      expect({ each, others }).toEqual({ each, others: [] })
    }
  })

  it('is imported, and its types are right, where there is no other SDK', () => {
    const folder = newFolder()
    const there = join(folder, 'node_modules')
    for (const each of [adapter, '@turnstore/memory', '@turnstore/core', '@turnstore/formats']) {
      cpSync(join(modules, each), join(there, each), { recursive: true })
    }
    if (sdk !== null) {
      mkdirSync(dirname(join(there, sdk)), { recursive: true })
      symlinkSync(join(modules, sdk), join(there, sdk), 'junction')
    }
    const code = [
      `import { InMemorySessionStore } from '@turnstore/memory'`,
      `import { ${/new (\w+)/.exec(made)?.[1] ?? ''} } from '${adapter}'`,
      `const store = new InMemorySessionStore()`,
      `export const made = ${made}`,
    ].join('\n')
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(
      join(folder, 'index.ts'),
      `${code}\n// @ts-expect-error: it has a type\nexport const not: number = made\n`,
    )
    const node = (...args: string[]): { status: number | null; output: string } => {
      const run = spawnSync(process.execPath, ['--no-warnings', ...args], { cwd: folder, encoding: 'utf8' })
      return { status: run.status, output: run.stdout + run.stderr }
    }
    expect(node('--input-type=module', '--eval', code)).toEqual({ status: 0, output: '' })
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023']
    expect(node(compiler, ...options, 'index.ts')).toEqual({ status: 0, output: '' })
  })
})
