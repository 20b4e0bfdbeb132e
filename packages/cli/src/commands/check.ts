import type { SessionStore } from '@turnstore/core'
import { isDamage } from '@turnstore/core/adapter'
import { Command } from 'commander'
import { CheckReport } from '../output/check-report.js'
import { Progress } from '../output/progress.js'
import { type Cli, messageOf } from '../terminal/cli.js'
import { storeOption } from '../terminal/options.js'

interface CheckOptions {
  readonly store?: string
  readonly json?: true
}

export function checkCommand(cli: Cli): Command {
  return new Command('check')
    .description('look for damage in a whole store')
    .addOption(storeOption())
    .option('--json', 'print what was found as JSON')
    .addHelpText(
      'after',
      `
Reads everything and changes nothing. Exits with code 1 if something is damaged. In a SQLite database, it also checks
the structure of the file and its indexes; in other stores, it reads every session.

Example:
  $ turnstore check --store sqlite:./sessions.db`,
    )
    .action(async (options: CheckOptions) => {
      const store = await cli.openToRead(options.store, '--store')
      const report = new CheckReport(cli, options.json === true)
      cli.sumUp(report)
      if (hasIntegrityCheck(store)) {
        const { problems } = await store.checkIntegrity()
        for (const { sessionId, message } of problems) report.addDamage(sessionId, message)
        report.read = (await store.listSessions()).length
      } else {
        await readAll(cli, store, report)
      }
    })
}

async function readAll(cli: Cli, store: SessionStore, report: CheckReport): Promise<void> {
  const ids = new Set(await store.listSessions())
  for await (const { sessionId, message } of listedAsDamaged(store)) {
    report.addDamage(sessionId, message)
    ids.delete(sessionId)
  }
  const progress = new Progress(cli, { verb: 'Checking', total: ids.size, quiet: report.isJson })
  try {
    for (const id of ids) {
      if (cli.isStopped) return
      try {
        await store.loadSession(id)
      } catch (error) {
        if (!isDamage(error)) throw error
        report.addDamage(id, messageOf(error))
      }
      progress.advance(++report.read)
    }
  } finally {
    progress.stop()
  }
}

/** What a listing finds damaged. Some of it may have no id by which it can be loaded. */
async function* listedAsDamaged(store: SessionStore): AsyncGenerator<{ sessionId: string; message: string }> {
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await store.querySessions({
      orderBy: 'createdAt',
      order: 'asc',
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor }),
    })
    yield* page.damaged ?? []
    cursor = page.cursor
  }
}

interface IntegrityCheck {
  checkIntegrity(): Promise<{
    readonly problems: readonly { readonly sessionId: string | null; readonly message: string }[]
  }>
}

/** By its shape, so that stores of third parties can have one. */
function hasIntegrityCheck(store: SessionStore): store is SessionStore & IntegrityCheck {
  return 'checkIntegrity' in store && typeof store.checkIntegrity === 'function'
}
