import { Command } from 'commander'
import type { Cli } from '../terminal/cli.js'

interface MigrateOptions {
  readonly to?: string
  readonly json?: true
}

export function migrateCommand(cli: Cli): Command {
  return new Command('migrate')
    .description('create or upgrade the tables of a Postgres store')
    .option('--to <url>', 'the store (default: TURNSTORE_URL)')
    .option('--json', 'print what the store declares as JSON')
    .addHelpText(
      'after',
      `
Run it as a user who may create tables in the schema. The application can then connect as one who may only use them.
It does nothing if the tables are current, and may run at the same time as the application. Other stores need no
migration: it only opens them.

Example:
  $ turnstore migrate --to 'postgres://owner@db.example/agents?schema=sessions'`,
    )
    .action(async ({ to, json }: MigrateOptions) => {
      const { capabilities } = await cli.open(to, '--to')
      if (json === true) await cli.printJson({ ...capabilities })
      else await cli.printLine('The store is ready')
    })
}
