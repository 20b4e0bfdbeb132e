import { type SessionRecord } from '@turnstore/core'
import { InMemorySessionStore } from '@turnstore/memory'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { Cli } from '../../src/terminal/cli.ts'
import { copyCommand } from '../../src/commands/copy.ts'
import { Printed } from '../turnstore.ts'

/** Between listing and loading, the session is deleted and another workspace takes its id. */
class OvertakenStore extends InMemorySessionStore {
  override async loadSession(...args: Parameters<InMemorySessionStore['loadSession']>): Promise<SessionRecord | null> {
    await this.deleteSession(args[0])
    await this.saveSession({ sessionId: args[0], workspaceId: 'globex' })
    return super.loadSession(...args)
  }
}

it('copy --workspace never copies a session of another workspace, even one that takes the id during the copy', async () => {
  const source = new OvertakenStore()
  await source.saveSession({ sessionId: 's', workspaceId: 'acme' })
  const target = new InMemorySessionStore()
  const stdout = new Printed()
  const cli = new Cli({ stdin: Readable.from([]), stdout, stderr: new Printed(), env: {} })
  cli.open = async () => source
  cli.choose = async () => ({ ready: async () => target, answer: work => work })
  await copyCommand(cli).parseAsync(['--from', 'from:', '--to', 'to:', '--workspace', 'acme'], { from: 'user' })
  await cli.printSummary(true)
  expect(await target.listSessions()).toEqual([])
  expect(await stdout.whole()).toBe('0 sessions: 0 added, 0 grown, 0 unchanged\n')
})
