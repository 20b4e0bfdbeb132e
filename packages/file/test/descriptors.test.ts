import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { expect, it, vi } from 'vitest'
import { at, failureOf } from '../../../scripts/testing/sessions.ts'
import { Folder } from './folder.ts'

const folder = new Folder()

it('a listing without descriptors fails, and takes no workspace for damaged or empty', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 'plain', createdAt: at })
  await store.saveSession({ sessionId: 's', workspaceId: 'w', createdAt: at })
  const real = fs.readdirSync.bind(fs)
  const readdir = vi.spyOn(fs, 'readdirSync').mockImplementation((path, options) => {
    if (path === folder.path('w')) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
    return real(path, options)
  })
  syncBuiltinESMExports()
  try {
    for (const call of [() => store.listSessions(), () => store.querySessions(), () => store.listSessions({ workspaceId: 'w' })]) {
      expect(await failureOf(call())).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: new Error('Error EMFILE') })
    }
  } finally {
    readdir.mockRestore()
    syncBuiltinESMExports()
  }
  expect((await store.listSessions()).toSorted()).toEqual(['plain', 's'])
})
