import { Command, CommanderError, InvalidArgumentError } from 'commander'
import type { GroupName } from '../cases/group-name.js'
import { runSuite } from '../suite/run-suite.js'
import { SetupError } from '../cases/setup.js'
import { groupNames, isGroupName } from '../suite/suite.js'
import { version } from '../suite/versions.js'
import { loadSetup, sentenceOf } from './load-setup.js'
import { Printer } from './printer.js'

interface Options {
  readonly group?: readonly GroupName[]
  readonly seed?: number
  readonly thorough?: true
  readonly json?: true
}

/** How long the process may take to exit after everything is closed. */
const LINGERING_MS = 2_000

/** Runs the command line, and sets the exit code: 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C. */
export async function command(args: readonly string[]): Promise<void> {
  const program = new Command('turnstore-conformance')
    .description('Tests whether a session store keeps the contract of Turnstore.')
    .argument('<setup>', 'a module whose default export is the setup of the store, or a function that returns it')
    .option('--group <name>', 'run only this group; can be repeated', collectGroups)
    .option('--seed <number>', 'repeat the random cases of a run', seedOf)
    .option('--thorough', 'use larger sizes and more random runs: minutes instead of seconds')
    .option('--json', 'print only a JSON document at the end')
    .version(version(), '-V, --version', 'print the version')
    .addHelpText(
      'after',
      `
A setup:
  export default {
    name: 'MyStore',
    open: () => new MyStore(),            // a fresh, empty store
    reopen: store => …,                   // a second handle on the same data
    child: store => ({ module, args }),   // how a child process opens the same data
    destroy: store => …,
  }

Groups: ${groupNames().join(', ')}.

Exit codes: 0 the store passes, 1 it fails, 2 wrong usage or setup, 130 Ctrl-C.`,
    )
    .exitOverride()
    .action(run)
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? 0 : 2
  }
}

async function run(path: string, options: Options): Promise<void> {
  const stop = new AbortController()
  let exitCode: number | undefined
  const end = (code: number): void => {
    exitCode ??= code
    stop.abort()
  }
  // A second Ctrl-C ends the process at once: the handlers run only once.
  process.once('SIGINT', () => end(130))
  process.once('SIGTERM', () => end(143))
  // The reader closed the pipe. The result of the store is unknown, so this is not a success.
  process.stdout.on('error', () => end(1))
  process.stderr.on('error', () => {})
  process.once('beforeExit', () => {
    if (exitCode !== undefined) return
    note('The store or the setup waits for something that never happens')
    process.exitCode = 1
  })
  try {
    const ok = await runAndPrint(path, options, stop.signal)
    exitCode ??= ok ? 0 : 1
  } catch (error) {
    if (exitCode === undefined) {
      exitCode = error instanceof SetupError ? 2 : 1
      note(error instanceof SetupError ? error.message : `The store cannot be opened: ${sentenceOf(error)}`)
    } else if (exitCode > 1) {
      note('Stopped early; the stores are closed.')
    }
  }
  await new Promise(resolve => {
    process.stdout.write('', resolve)
  })
  endWith(exitCode)
}

async function runAndPrint(path: string, options: Options, signal: AbortSignal): Promise<boolean> {
  const { group: groups, seed, thorough } = options
  const setup = {
    ...(await loadSetup(path)),
    ...(groups && { groups }),
    ...(seed !== undefined && { seed }),
    ...(thorough && { thorough }),
  }
  if (options.json) {
    const report = await runSuite(setup, { signal })
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    return report.ok
  }
  const printer = new Printer()
  const report = await runSuite(setup, {
    signal,
    onGroup: ({ title }) => printer.group(title),
    onStart: name => printer.start(name),
    onCase: found => printer.case(found),
  })
  printer.end(report, `npx @turnstore/conformance ${quoted(path)}${thorough ? ' --thorough' : ''}`)
  return report.ok
}

/** Lets the process exit. If something keeps it alive, reports that and exits after a while. */
function endWith(exitCode: number): void {
  process.exitCode = exitCode
  setTimeout(() => {
    const left = process.getActiveResourcesInfo().filter(name => !['TTYWrap', 'PipeWrap', 'Timeout'].includes(name))
    note(
      `The process does not exit although all stores are closed: the store or the setup leaves something open${
        left.length === 0 ? ', such as a timer' : ` (${[...new Set(left)].join(', ')})`
      }`,
    )
    process.exit(exitCode)
  }, LINGERING_MS).unref()
}

/** Quoted for a shell. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}

function note(line: string): void {
  process.stderr.write(`${line}\n`)
}

function collectGroups(name: string, before: readonly GroupName[] = []): readonly GroupName[] {
  if (!isGroupName(name)) {
    throw new InvalidArgumentError(`Unknown group. The groups are ${groupNames().join(', ')}.`)
  }
  return [...before, name]
}

function seedOf(text: string): number {
  const seed = Number(text)
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(seed)) throw new InvalidArgumentError('It must be a whole number.')
  return seed
}
