import type { SessionStore } from '@turnstore/core'
import { Command } from 'commander'
import { type Cli, UsageError } from '../terminal/cli.js'
import { storeOption } from '../terminal/options.js'

interface BackupOptions {
  readonly store?: string
  readonly json?: true
}

export function backupCommand(cli: Cli): Command {
  return new Command('backup')
    .description('copy a whole SQLite database to a new file, while it is in use')
    .argument('<file>', 'the new database')
    .addOption(storeOption())
    .option('--json', 'print the name of the file as JSON')
    .addHelpText(
      'after',
      `
The copy is of one moment, and complete when its file appears. It is a store: open it as sqlite:FILE. For other stores,
use turnstore export or turnstore copy.

Example:
  $ turnstore backup monday.db --store sqlite:./sessions.db`,
    )
    .action(async (file: string, options: BackupOptions) => {
      const store = await cli.openToRead(options.store, '--store')
      if (!hasBackup(store)) {
        throw new UsageError(
          'Only SQLite databases have a backup; for this store, use turnstore export > FILE.jsonl, or turnstore copy --to sqlite:FILE',
        )
      }
      await store.backup(file)
      if (options.json === true) await cli.printJson({ file })
      else await cli.printLine(`Backed up to ${file}`)
    })
}

interface Backup {
  backup(path: string): Promise<void>
}

/** By its shape, so that stores of third parties can have one. */
function hasBackup(store: SessionStore): store is SessionStore & Backup {
  return 'backup' in store && typeof store.backup === 'function'
}
