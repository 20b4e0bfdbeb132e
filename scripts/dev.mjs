// The one way in: `npm run demo`, `npm test`, `npm run check` and the longer tests work in a fresh clone with Node 18 or
// newer and npm, and nothing else installed. Plain Node, no dependencies.
//
//   node scripts/dev.mjs demo | test | check | test:long | test:sdks | test:browser | test:soak
//   node scripts/dev.mjs run COMMAND [ARGUMENT…]     any command, with the right Node and pnpm on the PATH
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromiumPath } from './chromium.mjs'

const NODE = '24.21.0'
const PNPM = '12.21.0'
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const shell = process.platform === 'win32' // npx and pnpm are .cmd files there

const [name, ...rest] = process.argv.slice(2)
const commands = {
  demo,
  test,
  check,
  'test:long': testLong,
  'test:sdks': testSdks,
  'test:browser': testBrowser,
  'test:soak': soak,
  run,
}
const command = commands[name ?? '']
if (command === undefined || (name === 'run' && rest.length === 0)) {
  stop(2, `usage: node scripts/dev.mjs ${Object.keys(commands).join(' | ')} COMMAND [ARGUMENT…]`)
}
const PATH = pathWithTools()
await command()

async function test() {
  await install()
  await build()
  await ensureRedis()
  await ensurePostgres()
  say('Testing …')
  await show('pnpm', '--silent', 'run', 'inner:test', ...rest)
}

/** The tests with rounds of random moments, with ten times as many rounds, and the suite with more runs. */
async function testLong() {
  await install()
  await build()
  await ensureRedis()
  await ensurePostgres()
  const files = testsWithRounds()
  say(`Testing ${files.length} files with many rounds …`)
  process.env.TURNSTORE_THOROUGH ??= '10'
  await show('pnpm', '--silent', 'run', 'inner:test', '--reporter=verbose', ...files, ...rest)
}

/** The packages for agent SDKs with the real SDKs, which are installed beside the workspace. */
async function testSdks() {
  await install()
  await build()
  await ensureRedis()
  await quiet('Installing the SDKs …', 'node', 'sdk-tests/install.mjs')
  await quiet('Checking the types of their tests …', 'pnpm', 'exec', 'tsc', '-p', 'sdk-tests')
  // Not with the others: without the SDKs their types are unknown.
  await quiet('Linting …', 'pnpm', 'exec', 'oxlint', '--type-aware', '-c', 'sdk-tests/oxlint.json', 'sdk-tests')
  say('Testing with the SDKs …')
  await show('pnpm', 'exec', 'vitest', 'run', '--config', 'sdk-tests/vitest.config.ts', ...rest)
}

/** The page of `turnstore inspect` in a real browser. */
async function testBrowser() {
  await install()
  await build()
  await ensureChromium()
  say('Testing in Chromium …')
  await show('pnpm', 'exec', 'vitest', 'run', '--config', 'packages/cli/test-browser/vitest.config.ts', ...rest)
}

/** The same with ten times as many kills. */
async function soak() {
  process.env.TURNSTORE_THOROUGH ??= '10'
  await testSdks()
}

/** Those that ask how many rounds they are to make. */
function testsWithRounds() {
  const packages = readdirSync(join(root, 'packages')).map(name => `packages/${name}/test`)
  const files = packages.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true }).map(file => `${folder}/${file.replaceAll('\\', '/')}`),
  )
  return files.filter(
    file => file.endsWith('.test.ts') && /\b(thoroughness|isThorough)\b/.test(readFileSync(join(root, file), 'utf8')),
  )
}

async function demo() {
  await install()
  await build()
  await show('pnpm', '--silent', 'run', 'inner:demo', ...rest)
}

async function check() {
  await install()
  await build()
  await quiet('Checking the types of the tests …', 'pnpm', 'run', 'inner:types')
  await quiet('Checking the format …', 'pnpm', 'run', 'inner:format')
  await quiet('Linting …', 'pnpm', 'run', 'inner:lint')
  await quiet('Checking that the packages are alike …', 'node', '--test', 'scripts/conventions.test.mjs')
  await quiet('Checking the folders and their imports …', 'node', '--test', 'scripts/structure.test.mjs')
  await quiet('Trying the benchmark …', 'node', '--test', 'bench/bench.test.mjs')
  await quiet('Checking the packages as they would be published …', 'pnpm', 'run', 'inner:packages')
  await quiet('Trying the examples and the guide with them …', 'pnpm', 'run', 'inner:examples')
  await quiet('Checking the changesets …', 'pnpm', 'exec', 'changeset', 'status', `--since=${baseBranch()}`)
  say('All is well.')
}

/** No install and no build: for those who know what they want, `pnpm install` included. */
async function run() {
  await show(...rest)
}

/** Explicitly, since pnpm's own check before a script runs the script even when the install failed. */
async function install() {
  await quiet('Installing …', 'pnpm', 'install', '--frozen-lockfile')
}

async function build() {
  await quiet('Building …', 'pnpm', 'run', 'build')
}

/** The tests of the Redis store start servers of their own. Without one to start they fail; they are never skipped. */
async function ensureRedis() {
  if (hasRedis()) return
  const isDebian = existsSync('/etc/debian_version')
  if (!isDebian || process.getuid?.() !== 0) {
    stop(
      1,
      'The tests of @turnstore/redis need redis-server or valkey-server on the PATH: install one and run this again.',
    )
  }
  await quiet('Installing a Redis server for the tests …', 'apt-get', 'update')
  await quiet('…', 'apt-get', 'install', '--yes', '--no-install-recommends', 'redis-server')
  if (!hasRedis()) stop(1, 'redis-server was installed and cannot be started: see that it is on the PATH.')
}

/** The tests drive the system's Chromium: they download none. */
async function ensureChromium() {
  if (hasChromium()) return
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) {
    stop(
      1,
      'The tests of the page need Chromium or Chrome: install one, or set CHROMIUM to its path, and run this again.',
    )
  }
  await quiet('Installing Chromium for the tests …', 'apt-get', 'update')
  await quiet('…', 'apt-get', 'install', '--yes', '--no-install-recommends', 'chromium')
  if (!hasChromium()) stop(1, 'chromium was installed and is not at /usr/bin/chromium: set CHROMIUM to its path.')
}

function hasChromium() {
  return chromiumPath() !== undefined
}

function hasRedis() {
  return ['redis-server', 'valkey-server'].some(
    server => spawnSync(server, ['--version'], { stdio: 'ignore', shell }).status === 0,
  )
}

/** The same for the Postgres store, whose tests also put PgBouncer in front. */
async function ensurePostgres() {
  if (hasPostgres()) return
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) {
    stop(1, 'The tests of @turnstore/postgres need Postgres and PgBouncer: install both and run this again.')
  }
  await quiet('Installing Postgres and PgBouncer for the tests …', 'apt-get', 'update')
  await quiet('…', 'apt-get', 'install', '--yes', '--no-install-recommends', 'postgresql', 'pgbouncer')
  if (!hasPostgres()) stop(1, 'Postgres and PgBouncer were installed and cannot be found.')
}

/** On the PATH, or where Debian puts them. */
function hasPostgres() {
  const debian = '/usr/lib/postgresql'
  const folders = existsSync(debian) ? readdirSync(debian).map(version => join(debian, version, 'bin')) : []
  const has = (program, others) =>
    others.some(folder => existsSync(join(folder, program))) ||
    spawnSync(program, ['--version'], { stdio: 'ignore', shell }).status === 0
  return has('initdb', folders) && has('postgres', folders) && has('pgbouncer', ['/usr/sbin'])
}

/** What a branch is compared with: main, wherever this clone has it. On main itself nothing has changed. */
function baseBranch() {
  const known = ref =>
    spawnSync('git', ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], { cwd: root }).status === 0
  return ['origin/main', 'main'].find(known) ?? 'HEAD'
}

/** The PATH with pnpm and a Node that the packages run on in front. npx keeps both in npm's cache. */
function pathWithTools() {
  const tools = [`pnpm@${PNPM}`]
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 22 || (major === 22 && minor < 14)) {
    const platform = `${process.platform}-${process.arch}`
    if (platform !== 'linux-x64' && platform !== 'linux-arm64') {
      stop(
        1,
        `Turnstore needs Node 22.14 or newer and this is ${process.version}: install Node 24 from nodejs.org and run this again.`,
      )
    }
    tools.push(`node-${platform}@${NODE}`)
  }
  if (name !== 'run') say('Getting the tools …')
  const args = [
    '--yes',
    '--loglevel=error',
    ...tools.flatMap(tool => ['--package', tool]),
    '--',
    'node',
    '--print',
    'process.env.PATH',
  ]
  const npx = spawnSync('npx', args, { cwd: root, shell, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  if (npx.status !== 0) stop(npx.status ?? 1, `npx could not get ${tools.join(' and ')}.`)
  return npx.stdout.trim()
}

async function show(program, ...args) {
  await finish(start(program, args, 'inherit'))
}

/** Says what it does, and shows the output only when it fails. */
async function quiet(what, program, ...args) {
  say(what)
  const child = start(program, args, ['ignore', 'pipe', 'pipe'])
  const output = outputOf(child)
  await finish(child, () => process.stdout.write(Buffer.concat(output)))
}

/** What it prints, chunk by chunk, as it comes. */
function outputOf(child) {
  const output = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => output.push(chunk))
  return output
}

function start(program, args, stdio) {
  // What is piped to be kept is still shown in colour.
  const color = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}
  return spawn(program, args, {
    cwd: root,
    shell,
    stdio,
    env: { ...color, ...process.env, PATH, TURBO_TELEMETRY_DISABLED: '1' },
  })
}

/** Resolves when the child succeeds. When it fails, so do we, with its exit code or by its signal. */
async function finish(child, onFailure = () => {}) {
  // Ctrl-C in a terminal reaches the child as well; what is sent to us alone is handed on. Either way the
  // child has the last word.
  const handOn = signal => signal !== 'SIGINT' && child.kill(signal)
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, handOn)
  const { code, signal } = await new Promise(resolve => {
    child.on('error', error => stop(1, `Cannot start ${child.spawnfile}: ${error.message}`))
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  for (const each of signals) process.off(each, handOn)
  if (code === 0) return
  onFailure()
  if (signal !== null) process.kill(process.pid, signal)
  process.exit(code ?? 1)
}

function say(line) {
  console.log(line)
}

function stop(exitCode, line) {
  console.error(line)
  process.exit(exitCode)
}
