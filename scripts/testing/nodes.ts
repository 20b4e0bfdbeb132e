// Other versions of Node, for the tests that run in each.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The program of a version of Node out of its package, which npx keeps in npm's cache; null where there is none for this platform. */
export function nodeOf(version: string): string | null {
  const { platform, arch } = process
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) return null
  const release = `node-${platform}-${arch}@${version}`
  const npx = spawnSync(
    'npx',
    ['--yes', '--loglevel=error', '--package', release, '--', 'node', '--print', 'process.execPath'],
    { encoding: 'utf8', timeout: 120_000 },
  )
  const program = npx.status === 0 ? npx.stdout.trim() : ''
  return existsSync(program) ? program : null
}

/** The first Node on the PATH that fits. */
export function nodeOnPath(fits: (versions: NodeJS.ProcessVersions) => boolean): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const program = join(folder, 'node')
    if (folder !== '' && existsSync(program) && fits(versionsOf(program))) return program
  }
  return null
}

function versionsOf(program: string): NodeJS.ProcessVersions {
  const versions: NodeJS.ProcessVersions = JSON.parse(
    execFileSync(program, ['--print', 'JSON.stringify(process.versions)'], { encoding: 'utf8' }),
  )
  return versions
}
