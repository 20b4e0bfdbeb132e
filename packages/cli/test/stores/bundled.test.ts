import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, expect, it } from 'vitest'

/*
 * A program that is bundled into one file, as docs/bundling.md says. Only the driver of SQLite stays outside.
 */

// In a folder of a package that has the driver.
const folder = mkdtempSync(join(fileURLToPath(new URL('../../../sqlite/', import.meta.url)), '.bundled-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const program = `
  import { mkdtempSync, statSync } from 'node:fs'
  import { SessionManager } from '@turnstore/core'
  import { FileSessionStore } from '@turnstore/file'
  import { recognize } from '@turnstore/formats'
  import { InMemorySessionStore } from '@turnstore/memory'
  import { RedisSessionStore } from '@turnstore/redis'
  import { SqliteSessionStore } from '@turnstore/sqlite'

  async function main() {
    const folder = mkdtempSync(process.argv[2])
    const sqlite = new SqliteSessionStore(folder + '/sessions.db')
    for (const store of [new InMemorySessionStore(), new FileSessionStore(folder + '/sessions'), sqlite]) {
      const manager = new SessionManager(store)
      await manager.startSession({ sessionId: 's' })
      await manager.recordMessages('s', [{ role: 'user', content: 'Is there tea?' }])
      console.log((await manager.getMessages('s')).length)
    }
    console.log(recognize([{ role: 'user', content: 'Is there tea?' }]).format.name, typeof RedisSessionStore)
    console.log(await sqlite.checkIntegrity())
    await sqlite.backup(folder + '/backup.db')
    console.log(statSync(folder + '/backup.db').size > 0)
    await sqlite.close()
  }
  main()`

it.each(['esm', 'cjs'] as const)('all stores work bundled as %s, backup and integrity check included', async format => {
  writeFileSync(join(folder, 'program.mjs'), program)
  const outfile = join(folder, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs')
  await build({
    stdin: { contents: program, resolveDir: fileURLToPath(new URL('../..', import.meta.url)) },
    outfile,
    bundle: true,
    platform: 'node',
    format,
    external: ['better-sqlite3'],
    // ioredis is CommonJS, and calls require.
    ...(format === 'esm' && {
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    }),
    logLevel: 'silent',
  })
  // A program's own file of this name must not be taken for the thread's.
  writeFileSync(join(folder, 'worker.js'), 'process.exit(7)')
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--no-warnings', outfile, join(folder, 'data-')], {
    encoding: 'utf8',
  })
  expect({ stdout, stderr, status }).toEqual({
    stdout: '1\n1\n1\nchat function\n{ ok: true, problems: [] }\ntrue\n',
    stderr: '',
    status: 0,
  })
})
