// The Bun and Deno binaries for smoke tests, taken from their packages for this platform, so that no install
// script has to run. `node scripts/runtimes.mjs` prints their paths.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const { platform, arch } = process
const exe = platform === 'win32' ? '.exe' : ''

/** @returns {string} The path of the `bun` binary. */
export function bun() {
  return join(
    installed('bun', `@oven/bun-${platform === 'win32' ? 'windows' : platform}-${arch === 'arm64' ? 'aarch64' : arch}`),
    'bin',
    `bun${exe}`,
  )
}

/** @returns {string} The path of the `deno` binary. */
export function deno() {
  return join(installed('deno', `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`), `deno${exe}`)
}

/**
 * @param {string} runtime
 * @param {string} itsPlatformPackage an optional dependency of the runtime's own package
 * @returns {string} The folder of the platform's package.
 */
function installed(runtime, itsPlatformPackage) {
  const ofRuntime = createRequire(createRequire(import.meta.url).resolve(`${runtime}/package.json`))
  return dirname(ofRuntime.resolve(`${itsPlatformPackage}/package.json`))
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(`${bun()}\n${deno()}`)
}
