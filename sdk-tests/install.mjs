// Installs the SDKs, and our packages beside them as they would be published: copies, so that they find these SDKs and
// no others. The packages have to be built.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const home = import.meta.dirname
const modules = join(home, 'node_modules')
const stamp = join(modules, '.installed')
const digest = createHash('sha256')
  .update(readFileSync(join(home, 'package-lock.json')))
  .digest('hex')

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest) {
  // Without scripts: better-sqlite3 has its binaries in the package, and would compile another.
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: home,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  writeFileSync(stamp, digest)
}

const ours = join(modules, '@turnstore')
rmSync(ours, { recursive: true, force: true })
mkdirSync(ours)
const packages = join(home, '..', 'packages')
for (const folder of readdirSync(packages)) {
  const { name } = JSON.parse(readFileSync(join(packages, folder, 'package.json'), 'utf8'))
  const to = join(modules, name)
  for (const each of ['package.json', 'dist']) {
    cpSync(join(packages, folder, each), join(to, each), { recursive: true })
  }
}
