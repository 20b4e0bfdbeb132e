// The architecture, held to: no two files import each other in a circle, and no folder imports one above it. Part of
// `npm run check`. docs/architecture.md says what each folder is for.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The folders of each package's sources from the top down. Files outside of them are the entries, above all. */
const rooms = {
  core: [
    'manager',
    'merge',
    'stores',
    'search',
    'watch',
    'adapter-kit',
    'chat',
    'replay',
    'queries',
    'changes',
    'records',
    'basics',
  ],
  memory: [],
  formats: ['files', 'messages', 'middle'],
  'ai-sdk': ['run', 'history', 'messages'],
  'openai-agents': ['run', 'history', 'items'],
  'claude-agent-sdk': ['sessions', 'entries', 'keys'],
  cli: ['commands', 'inspector', 'output', 'input', 'merge', 'terminal', 'stores'],
  file: ['session', 'folder', 'format', 'locks', 'disk'],
  sqlite: ['maintenance', 'sessions', 'tables', 'database'],
  redis: ['sessions', 'listing', 'format', 'server', 'lua'],
  postgres: ['sessions', 'tables', 'server'],
  conformance: ['command', 'suite', 'groups', 'cases', 'child', 'histories', 'samples', 'checks'],
}

/** Those of the page of `turnstore inspect`, which runs in a browser. Of the server it has the types of the answers. */
const pageRooms = ['session', 'list', 'conversation', 'timeline', 'details', 'keys', 'widgets', 'data', 'styles']
const answers = '../src/inspector/answers.ts'

const sources = [
  ...Object.entries(rooms).map(([name, folders]) => [`packages/${name}/src`, folders]),
  ['packages/cli/page', pageRooms],
]

for (const [path, folders] of sources) {
  const src = join(root, path)
  const imports = importsIn(src).filter(({ to }) => to !== answers)

  describe(path, () => {
    it('has the folders that are named here', () => {
      const found = readdirSync(src, { withFileTypes: true }).filter(entry => entry.isDirectory())
      assert.deepEqual(new Set(found.map(entry => entry.name)), new Set(folders))
    })

    it('has no folder that imports one above it', () => {
      const upward = imports.filter(({ from, to }) => floorOf(folders, from) > floorOf(folders, to))
      assert.deepEqual(upward.map(sentenceOf), [])
    })

    it('has no circle of files', () => {
      assert.deepEqual(circleAmong(imports).map(sentenceOf), [])
    })
  })
}

function sentenceOf({ from, line, to }) {
  return `${from}:${line} imports ${to}`
}

/** The higher, the further down. */
function floorOf(folders, file) {
  return folders.indexOf(file.slice(0, Math.max(0, file.indexOf('/'))))
}

/** Every import of one file of a folder by another, types included. */
function importsIn(src) {
  const files = readdirSync(src, { recursive: true }).filter(file => /\.tsx?$/.test(file))
  return files.flatMap(from => {
    const text = readFileSync(join(src, from), 'utf8').replaceAll(/^ *(?:\*|\/\/|\/\*).*$/gm, '') // no comments
    return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'|new URL\('(\.[^']+\.[jt]s)'/g)].map(match => ({
      from,
      line: text.slice(0, match.index).split('\n').length,
      to: relative(src, join(src, dirname(from), match[1] ?? match[2])).replace(/\.js$/, '.ts'),
    }))
  })
}

/** The imports that make up one circle, none where there is none. */
function circleAmong(imports) {
  const done = new Set()
  const path = []
  const search = file => {
    const start = path.findIndex(({ from }) => from === file)
    if (start !== -1) return path.slice(start)
    if (done.has(file)) return []
    for (const each of imports.filter(({ from }) => from === file)) {
      path.push(each)
      const circle = search(each.to)
      if (circle.length > 0) return circle
      path.pop()
    }
    done.add(file)
    return []
  }
  for (const { from } of imports) {
    const circle = search(from)
    if (circle.length > 0) return circle
  }
  return []
}
