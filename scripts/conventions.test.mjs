// What all packages have in common, so that a reader who knows one knows the others. Part of `npm run check`.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const packages = join(dirname(dirname(fileURLToPath(import.meta.url))), 'packages')
const adapters = ['memory', 'file', 'sqlite', 'redis', 'postgres']
const integrations = ['ai-sdk', 'openai-agents', 'claude-agent-sdk']

for (const folder of readdirSync(packages)) {
  const read = path => readFileSync(join(packages, folder, path), 'utf8')
  const manifest = JSON.parse(read('package.json'))
  const isCommand = folder === 'cli'

  describe(manifest.name, () => {
    it('is named by its folder', () => {
      assert.equal(manifest.name, isCommand ? 'turnstore' : `@turnstore/${folder}`)
      assert.equal(manifest.repository.directory, `packages/${folder}`)
    })

    it('is an ES module with its types first, free of side effects', () => {
      assert.equal(manifest.type, 'module')
      assert.equal(manifest.sideEffects, false)
      assert.equal(manifest.main, undefined)
      for (const entry of Object.values(manifest.exports)) {
        assert.deepEqual(Object.keys(entry), ['types', 'default'])
        assert.match(entry.types, /^\.\/dist\/.*\.d\.ts$/)
      }
    })

    it('says what it runs on and how it may be used', () => {
      assert.equal(manifest.engines.node, '>=22.14')
      assert.equal(manifest.license, 'Apache-2.0')
      assert.deepEqual(manifest.publishConfig, { access: 'public', provenance: true })
      assert.deepEqual(manifest.files, ['dist', 'src'])
    })

    it('has the scripts of all, and no test that passes without a test', () => {
      assert.equal(manifest.scripts.test, 'vitest run')
      for (const script of ['build', 'types', 'check-package']) assert.ok(manifest.scripts[script], script)
    })

    it('depends on core alone of ours, as a peer, and an integration on formats', () => {
      const ours = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter(name =>
        name.startsWith('@turnstore/'),
      )
      if (folder === 'core') {
        assert.equal(manifest.dependencies, undefined)
        assert.deepEqual(ours, [])
      } else if (!isCommand) {
        assert.deepEqual(
          ours,
          integrations.includes(folder) ? ['@turnstore/formats', '@turnstore/core'] : ['@turnstore/core'],
        )
        assert.equal(manifest.peerDependencies['@turnstore/core'], 'workspace:^')
        assert.equal(manifest.devDependencies['@turnstore/core'], 'workspace:^')
      }
    })

    it('has a README that says what it is, how to install it and how to use it', () => {
      const headings = [...read('README.md').matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading)
      assert.equal(headings[0], manifest.name)
      for (const heading of ['Install', 'Usage']) assert.ok(headings.includes(heading), `a heading ${heading}`)
      if (adapters.includes(folder)) {
        for (const heading of ['Options', 'When to use which', 'What it promises']) {
          assert.ok(headings.includes(heading), `a heading ${heading}`)
        }
      }
    })

    if (adapters.includes(folder)) {
      it('calls the suite', () => {
        assert.ok(existsSync(join(packages, folder, 'test/conformance.test.ts')))
      })
    }
  })
}
