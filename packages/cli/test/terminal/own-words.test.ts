import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openStore } from 'turnstore'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Child } from '../../../../scripts/testing/child.ts'
import { importText, lines, temporaryFolder, turnstore } from '../turnstore.ts'

const cwd = fileURLToPath(new URL('../..', import.meta.url))

describe('messages speak of the options of the command', () => {
  it('of --timeout, not of timeoutMs, while another process holds the database', async () => {
    const path = join(temporaryFolder(), 'a.db')
    await importText(lines({ id: 'a', messages: [] }), { url: `sqlite:${path}` })
    const holder = Child.run(
      `import { DatabaseSync } from 'node:sqlite'
      const database = new DatabaseSync(${JSON.stringify(path)})
      database.exec('BEGIN IMMEDIATE')
      say('held')
      await sleep(60_000)`,
      { cwd },
    )
    onTestFinished(() => holder.kill())
    expect(await holder.line()).toBe('held')
    const { code, stderr } = await turnstore(['import', '-', '--timeout', '0.2'], {
      url: `sqlite:${path}`,
      input: lines({ id: 'b', messages: [] }),
    })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^[^\n]*try again, or raise --timeout\n$/)])
  })

  it('of --limits', async () => {
    const from = `sqlite:${join(temporaryFolder(), 'a.db')}`
    const store = await openStore(from, { limits: { metadataBytes: 4 * 1024 * 1024 } })
    await store.saveSession({ sessionId: 'a', metadata: { text: 'x'.repeat(2 * 1024 * 1024) } })
    await store.close()
    const to = `sqlite:${join(temporaryFolder(), 'b.db')}`
    const refused = await turnstore(['copy', '--from', from, '--to', to])
    expect(refused).toMatchObject({ code: 1, stdout: '1 session: 0 added, 0 grown, 0 unchanged, 1 left out\n' })
    expect(refused.stderr).toMatch(/^Left out: session a\. .*--limits[^\n]*\n$/)
    const copied = await turnstore(['copy', '--from', from, '--to', to, '--limits', 'metadataBytes=4MiB'])
    expect(copied).toMatchObject({ code: 0, stdout: '1 session: 1 added, 0 grown, 0 unchanged\n', stderr: '' })
  })

  it('import takes them for sessions, too', async () => {
    const to = `sqlite:${join(temporaryFolder(), 'a.db')}`
    const input = lines({ session_id: 'a', turns: [], metadata: { text: 'x'.repeat(2 * 1024 * 1024) } })
    const refused = await turnstore(['import', '-', '--to', to], { input })
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^stdin:1: left out: .*--limits\n$/)])
    const args = ['import', '-', '--to', to, '--limits', 'metadataBytes=4MiB', '--limits', 'jsonDepth=200']
    expect(await turnstore(args, { input })).toMatchObject({ code: 0, stderr: '' })
  })

  it.each([
    [['--timeout', '0']],
    [['--timeout', '-1']],
    [['--timeout', 'soon']],
    [['--timeout', '601']],
    [['--limits', 'turnBytes']],
    [['--limits', 'turnbytes=3']],
    [['--limits', 'turnBytes=0']],
    [['--limits', 'turnBytes=3MB']],
    [['--limits', 'jsonDepth=2000']],
  ])('%j is refused with one message that names the option', async args => {
    const orders = [
      ['ls', ...args],
      [...args, 'ls'],
    ]
    for (const all of orders) {
      const { code, stderr } = await turnstore(all, { url: 'memory:' })
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^[^\n]*--(timeout|limits)[^\n]*\n$/)])
    }
  })
})
