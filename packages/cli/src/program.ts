import { readFileSync } from 'node:fs'
import { printable } from '@turnstore/core'
import { Command, CommanderError } from 'commander'
import { type Cli, withoutPasswords } from './terminal/cli.js'
import { copyCommand } from './commands/copy.js'
import { exportCommand } from './commands/export.js'
import { importCommand } from './commands/import.js'
import { lsCommand } from './commands/ls.js'
import { pruneCommand } from './commands/prune.js'
import { rmCommand } from './commands/rm.js'
import { showCommand } from './commands/show.js'
import { storeForms } from './stores/open-store.js'

/**
 * Runs the command line and gives the exit code: 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C.
 */
export async function run(cli: Cli, args: readonly string[]): Promise<number> {
  const program = new Command('turnstore')
    .description('Imports, lists, shows, exports and copies the sessions of AI agents.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: text => cli.stdout.write(text),
      writeErr: text => cli.stderr.write(withoutPasswords(printable(text))),
    })
    .addHelpText(
      'after',
      `
A store is named by a URL: ${storeForms}.
Where no option names one, it is that of the variable TURNSTORE_URL.

Example:
  $ export TURNSTORE_URL=sqlite:./sessions.db
  $ turnstore import chats.jsonl
  $ turnstore ls
  $ turnstore show chat-1

Exit codes: 0 all done, 1 something failed and was told, 2 wrong usage, 130 Ctrl-C.`,
    )
  const commands = [importCommand, lsCommand, showCommand, exportCommand, copyCommand, rmCommand, pruneCommand]
  for (const create of commands) program.addCommand(create(cli).copyInheritedSettings(program).exitOverride())
  program.addCommand(helpCommand(program).copyInheritedSettings(program).exitOverride())
  program.exitOverride()
  try {
    await program.parseAsync(args, { from: 'user' })
    await cli.close()
    return cli.exitCode()
  } catch (error) {
    await cli.close()
    // Help that was asked for is a success; help because nothing was said is wrong usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    return cli.exitCode(error)
  }
}

/** Commander's own has the general help for a command that there is not, and no error. */
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
