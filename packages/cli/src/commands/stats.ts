import type { SessionStore } from '@turnstore/core'
import { isDamage } from '@turnstore/core/adapter'
import { Command } from 'commander'
import { Progress } from '../output/progress.js'
import { StoreStats } from '../output/store-stats.js'
import { type Cli, messageOf } from '../terminal/cli.js'
import { scopeOf, storeOption, workspaceOption } from '../terminal/options.js'
import { sessionIds } from '../terminal/session-ids.js'

interface StatsOptions {
  readonly store?: string
  readonly workspace?: string
  readonly json?: true
}

export function statsCommand(cli: Cli): Command {
  return new Command('stats')
    .description('count sessions, turns, parts and bytes')
    .addOption(storeOption())
    .addOption(workspaceOption('only sessions in this workspace'))
    .option('--json', 'print the figures as JSON')
    .addHelpText(
      'after',
      `
Parts are tool calls and items. Bytes are those of the sessions as turnstore export writes them. The oldest and the
newest time are those of the last changes. Running are sessions whose last turn is running. Reads every session.

Examples:
  $ turnstore stats --store sqlite:./sessions.db
  $ turnstore stats --workspace acme --json | jq .bytes`,
    )
    .action(async (options: StatsOptions) => {
      const store = await cli.openToRead(options.store, '--store')
      const stats = await read(cli, store, options)
      if (cli.isStopped) return
      if (options.json === true) await cli.printJson(stats.json())
      else for (const line of stats.lines(cli.paint, cli.width)) await cli.printStyled(line)
    })
}

async function read(cli: Cli, store: SessionStore, options: StatsOptions): Promise<StoreStats> {
  const scope = scopeOf(options)
  const stats = new StoreStats()
  const { length: total } = await store.listSessions(scope)
  const progress = new Progress(cli, { verb: 'Reading', total, quiet: options.json === true })
  let done = 0
  try {
    for await (const id of sessionIds(cli, store, scope)) {
      if (cli.isStopped) break
      try {
        const session = await store.loadSession(id, scope)
        if (session !== null) stats.add(session)
      } catch (error) {
        if (!isDamage(error)) throw error
        cli.fail(messageOf(error))
      }
      progress.advance(++done)
    }
  } finally {
    progress.stop()
  }
  return stats
}
