import { readFileSync } from 'node:fs'
import { printable } from '@turnstore/core'
import { Command, CommanderError } from 'commander'
import { type Cli, withoutPasswords } from './terminal/cli.js'
import { backupCommand } from './commands/backup.js'
import { checkCommand } from './commands/check.js'
import { completionCommand } from './commands/completion.js'
import { copyCommand } from './commands/copy.js'
import { exportCommand } from './commands/export.js'
import { importCommand } from './commands/import.js'
import { inspectCommand } from './commands/inspect.js'
import { lsCommand } from './commands/ls.js'
import { pruneCommand } from './commands/prune.js'
import { migrateCommand } from './commands/migrate.js'
import { renameCommand } from './commands/rename.js'
import { rmCommand } from './commands/rm.js'
import { searchCommand } from './commands/search.js'
import { setCommand } from './commands/set.js'
import { showCommand } from './commands/show.js'
import { statsCommand } from './commands/stats.js'
import { watchCommand } from './commands/watch.js'
import { fitHelp } from './terminal/help-text.js'
import { addStoreOptions, readStoreOptions } from './terminal/store-options.js'
import { storeForms } from './stores/open-store.js'

/** Runs the command line and returns the exit code: 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C. */
export async function run(cli: Cli, args: readonly string[]): Promise<number> {
  const program = new Command('turnstore')
    .description(
      'Works with stores of AI agents’ sessions: imports, lists, searches, shows, changes, copies, checks and deletes them.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: text => cli.stdout.write(fitHelp(text, cli.width)),
      getOutHelpWidth: () => cli.width ?? 80,
      writeErr: text => cli.stderr.write(withoutPasswords(printable(text))),
    })
    .addHelpText(
      'after',
      `
Stores are identified by URL: ${storeForms}.
Without an option, the environment variable TURNSTORE_URL applies.

Example:
  $ export TURNSTORE_URL=sqlite:./sessions.db
  $ turnstore import chats.jsonl
  $ turnstore ls
  $ turnstore show chat-1

Exit codes: 0 success, 1 a failure was reported, 2 wrong usage, 130 Ctrl-C.`,
    )
  const commands = [
    importCommand,
    lsCommand,
    showCommand,
    searchCommand,
    watchCommand,
    inspectCommand,
    statsCommand,
    exportCommand,
    copyCommand,
    backupCommand,
    checkCommand,
    migrateCommand,
    setCommand,
    renameCommand,
    rmCommand,
    pruneCommand,
    completionCommand,
  ]
  for (const create of commands) program.addCommand(create(cli).copyInheritedSettings(program).exitOverride())
  program.addCommand(helpCommand(program).copyInheritedSettings(program).exitOverride())
  addStoreOptions(program)
  program.hook('preAction', async () => {
    cli.storeOptions = await readStoreOptions(program)
  })
  program.exitOverride()
  try {
    await program.parseAsync(args, { from: 'user' })
    await cli.printSummary(!cli.isStopped)
    await cli.close()
    return cli.exitCode()
  } catch (error) {
    // Help is a success if requested, and wrong usage if printed because no command was given.
    const code = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : cli.exitCode(error)
    await cli.printSummary(false)
    await cli.close()
    return code
  }
}

/** Commander's own help command prints the general help for an unknown command instead of an error. */
function helpCommand(program: Command): Command {
  return new Command('help')
    .description('print the help of a command')
    .argument('[command]')
    .action((name?: string) => {
      const command = name === undefined ? program : program.commands.find(each => each.name() === name)
      if (command === undefined) program.error(`error: unknown command '${name}'`)
      command.help()
    })
}

function version(): string {
  const source: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof source === 'object' && source !== null && 'version' in source ? String(source.version) : '?'
}
