import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { at } from '../../../../scripts/testing/sessions.ts'
import { Layout } from '../../src/folder/layout.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

it('an id that the reference left in two workspaces is reported in a listing of all, and neither session is hidden', async () => {
  for (const workspace of ['acme', 'globex']) {
    mkdirSync(folder.path(workspace))
    const session = { session_id: 's', workspace_id: workspace, created_at: at, updated_at: at }
    writeFileSync(folder.path(workspace, 's.json'), JSON.stringify(session))
  }
  const store = folder.open()
  for (const workspaceId of ['acme', 'globex']) {
    expect(await store.querySessions({ workspaceId })).toEqual({
      sessions: [expect.objectContaining({ workspaceId })],
      cursor: null,
    })
    expect(await store.loadSession('s', { workspaceId })).toMatchObject({ workspaceId })
  }
  const { sessions, damaged } = await folder.open().querySessions()
  expect(sessions).toMatchObject([{ sessionId: 's' }])
  expect(damaged).toMatchObject([{ sessionId: 's', code: 'CORRUPT_SESSION' }])
  for (const name of ['acme', 'globex']) expect(damaged?.[0]?.message).toContain(folder.path(name, 's.json'))
})

it('a session that moves to another workspace during a listing is not reported as a duplicate', async () => {
  for (const workspace of ['acme', 'globex']) mkdirSync(folder.path(workspace))
  const [first = '', second = ''] = readdirSync(folder.base)
  const put = (workspace: string): void => {
    writeFileSync(folder.path(workspace, 's.json'), JSON.stringify({ session_id: 's', workspace_id: workspace }))
  }
  put(first)
  const documents = vi.spyOn(Layout.prototype, 'documents').mockImplementationOnce(function* (this: Layout, scope) {
    for (const document of this.documents(scope)) {
      yield document
      rmSync(folder.path(first, 's.json'), { force: true })
      put(second)
    }
  })
  expect(await folder.open().querySessions()).toMatchObject({ sessions: [{ workspaceId: second }], cursor: null })
  expect((await folder.open().querySessions()).damaged).toBeUndefined()
  documents.mockRestore()
})

it("what macOS notes beside a session is no session, whatever else begins with '._' is (it was listed as damaged)", async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', workspaceId: 'w' })
  await store.saveSession({ sessionId: '._s' })
  const note = Buffer.concat([Buffer.from([0x00, 0x05, 0x16, 0x07, 0x00, 0x02]), Buffer.alloc(60)])
  writeFileSync(folder.path('w', '._s.json'), note)
  writeFileSync(folder.path('._none.json'), 'damaged')
  const { sessions, damaged } = await store.querySessions()
  expect(sessions.map(({ sessionId }) => sessionId).toSorted()).toEqual(['._s', 's'])
  expect(damaged).toMatchObject([{ sessionId: '._none' }])
})
