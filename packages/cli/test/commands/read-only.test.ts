import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStore } from 'turnstore'
import { mayMount } from '../../../../scripts/testing/machine.ts'
import { temporaryFolder, temporaryStore, turnstore } from '../turnstore.ts'

/** A disk that is read-only once `fill` is done. */
async function readOnlyDisk(fill: (folder: string) => Promise<void>): Promise<string> {
  const disk = join(temporaryFolder(), 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', 'none', disk])
  onTestFinished(() => {
    execFileSync('umount', ['-l', disk])
  })
  await fill(disk)
  execFileSync('mount', ['-o', 'remount,ro', disk])
  return disk
}

const copies = (): string[] => readdirSync(tmpdir()).filter(name => /^turnstore-[A-Za-z0-9]{6}$/.test(name))

describe.skipIf(!mayMount)(`a read-only disk${mayMount ? '' : ' (needs root, to mount one)'}`, () => {
  it('ls, show, export, stats, check, backup and copy read a SQLite database there (it could not be read at all)', async () => {
    const disk = await readOnlyDisk(async folder => {
      const store = await openStore(`sqlite:${folder}/sessions.db`)
      await store.saveSession({ sessionId: 's', turns: [{ turnId: 't', prompt: 'Is there tea?' }] })
      // In the WAL alone, as another process that is killed leaves it.
      execFileSync('cp', [`${folder}/sessions.db`, `${folder}/sessions.db-wal`, `${folder}/..`])
      await store.close()
      execFileSync('sh', ['-c', `mv ${folder}/../sessions.db* ${folder}/`])
    })
    const url = `sqlite:${disk}/sessions.db`
    const before = copies()
    for (const args of [
      ['ls'],
      ['show', 's'],
      ['export'],
      ['stats'],
      ['check'],
      ['backup', join(temporaryFolder(), 'backup.db')],
      ['copy', '--from', url, '--to', temporaryStore()],
    ]) {
      const { code, stderr } = await turnstore(args, { url })
      expect([args[0], code, stderr]).toEqual([
        args[0],
        0,
        expect.stringContaining('may not be written here, and SQLite writes to read: a copy of it is read\n'),
      ])
    }
    expect((await turnstore(['show', 's'], { url })).stdout).toContain('Is there tea?')
    expect(copies()).toEqual(before)
  })

  it('commands that write say what to check', async () => {
    const disk = await readOnlyDisk(async folder => {
      const store = await openStore(`sqlite:${folder}/sessions.db`)
      await store.saveSession({ sessionId: 's' })
      await store.close()
    })
    const { code, stderr } = await turnstore(['rm', 's', '--yes'], { url: `sqlite:${disk}/sessions.db` })
    expect([code, stderr.split('\n').length]).toEqual([1, 2])
    expect(stderr).toContain('check the path and the permissions of the folder')
  })

  it('ls, show and export read sessions in files there', async () => {
    const disk = await readOnlyDisk(async folder => {
      const store = await openStore(`file:${folder}/sessions`)
      await store.saveSession({ sessionId: 's', turns: [{ turnId: 't', prompt: 'Is there tea?' }] })
      await store.close()
    })
    const url = `file:${disk}/sessions`
    for (const args of [['ls'], ['show', 's'], ['export']]) {
      expect(await turnstore(args, { url })).toMatchObject({ code: 0, stderr: '' })
    }
    const { code, stderr } = await turnstore(['rm', 's', '--yes'], { url })
    expect([code, stderr]).toEqual([1, expect.stringContaining('the file system is read-only: EROFS')])
  })
})
