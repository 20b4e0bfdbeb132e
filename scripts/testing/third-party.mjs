// Projects as a third party would have them: out of the repository, with our packages from their tarballs.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { bun, deno } from '../runtimes.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const packed = ['core', 'memory', 'conformance']
const start = promisify(execFile)

/**
 * Packs our packages, copies projects beside each other into a temporary folder and installs them all at once.
 * @param {string[]} projects folders of the repository
 */
export async function installed(projects) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-third-party-')))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    return { ...(await install(projects, folder)), remove }
  } catch (error) {
    remove()
    throw error
  }
}

async function install(projects, folder) {
  const path = (...names) => join(folder, ...names)
  for (const name of ['tarballs', 'bin']) mkdirSync(path(name))
  for (const [name, binary] of Object.entries({ bun: bun(), deno: deno() })) symlinkSync(binary, path('bin', name))
  const env = environment(path('bin'))

  await Promise.all(packed.map(name => pack(join(root, 'packages', name), path('tarballs'), env)))
  const files = readdirSync(path('tarballs'))
  const tarballs = Object.fromEntries(
    packed.map(name => {
      const file = files.find(each => each.startsWith(`turnstore-${name}-`)) ?? ''
      return [`@turnstore/${name}`, path('tarballs', file)]
    }),
  )
  for (const project of projects) {
    // Installed and built anew, whatever is in the repository.
    const filter = source => !['node_modules', 'dist'].includes(basename(source))
    cpSync(join(root, project), path(basename(project)), { recursive: true, filter })
  }
  writeFileSync(
    path('pnpm-workspace.yaml'),
    JSON.stringify({
      packages: ['*'],
      strictDepBuilds: false,
      overrides: Object.fromEntries(Object.entries(tarballs).map(([name, file]) => [name, `file:${file}`])),
    }),
  )
  await succeed('pnpm', ['install', '--prefer-offline', '--ignore-scripts'], { cwd: folder, env })
  // From here on each project is one by itself.
  rmSync(path('pnpm-workspace.yaml'))
  return {
    path,
    tarballs,
    run: (command, args, options = {}) => attempt(command, args, { ...options, env: { ...env, ...options.env } }),
  }
}

function pack(folder, destination, env) {
  return succeed('pnpm', ['pack', '--pack-destination', destination], { cwd: folder, env })
}

/** Without what the test runner above tells its children, and without colours. */
function environment(bin) {
  const { NODE_TEST_CONTEXT: _context, FORCE_COLOR: _colour, ...rest } = process.env
  return { ...rest, NO_COLOR: '1', PATH: `${bin}${delimiter}${rest.PATH}` }
}

async function attempt(command, args, options) {
  try {
    return { code: 0, ...(await start(command, args, { maxBuffer: 1 << 26, ...options })) }
  } catch (error) {
    if (typeof error.code !== 'number') throw error
    return { code: error.code, stdout: error.stdout, stderr: error.stderr }
  }
}

async function succeed(command, args, options) {
  const { code, stdout, stderr } = await attempt(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`)
}
