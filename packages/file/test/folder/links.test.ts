import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'
import { contentOf, text } from '../left-session.ts'

const folder = new Folder()

describe('links', () => {
  it('a workspace folder that is a link is reported in listings, and the others keep working', async () => {
    const base = folder.path('base')
    mkdirSync(folder.path('outside'))
    writeFileSync(folder.path('outside', 's.json'), text({ workspace_id: 'w' }))
    const store = folder.open({}, base)
    await store.saveSession({ sessionId: 'a', workspaceId: 'other', createdAt: at })
    symlinkSync(folder.path('outside'), `${base}/w`)
    symlinkSync('nowhere', `${base}/latest`)
    symlinkSync('.turnstore/format', `${base}/format`)
    for (const query of [{}, { workspaceId: 'w' }]) {
      const page = await store.querySessions(query)
      expect(page.damaged).toHaveLength(1)
      expect(page.damaged?.[0]).toMatchObject({ sessionId: '"w/"', code: 'CORRUPT_SESSION' })
      expect(page.damaged?.[0]?.message).toContain(`"${base}/w": this folder is a link, and links are not followed`)
      expect(page.sessions.map(({ sessionId }) => sessionId)).toEqual('workspaceId' in query ? [] : ['a'])
    }
    for (const workspaceId of [null, 'other']) {
      expect((await store.querySessions({ workspaceId })).damaged).toBeUndefined()
    }
    expect(await store.listSessions()).toEqual(['a'])
    expect((await store.changeSession('a', append('t'))).revision).toBe(2)
    expect(turnIdsOf(await store.loadSession('a'))).toEqual(['t'])
    await store.saveSession({ sessionId: 'b', workspaceId: 'other' })
  })

  it('a workspace folder that is a link is not followed', async () => {
    const outside = folder.path('outside')
    const base = folder.path('base')
    mkdirSync(outside)
    writeFileSync(`${outside}/s.json`, text({ workspace_id: 'w' }))
    mkdirSync(base)
    symlinkSync(outside, `${base}/w`)
    const store = folder.open({}, base)
    expect(await store.loadSession('s')).toBeNull()
    expect(await store.loadSession('s', { workspaceId: 'w' })).toBeNull()
    expect(await store.listSessions()).toEqual([])
    expect(await store.listSessions({ workspaceId: 'w' })).toEqual([])
    const error = await failureOf(store.saveSession({ sessionId: 'new', workspaceId: 'w' }))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'not-stored' })
    expect(readdirSync(outside)).toEqual(['s.json'])
  })

  it('a workspace folder that became a link while a handle knew it is not followed', async () => {
    const base = folder.path('base')
    const store = folder.open({}, base)
    await store.saveSession({ sessionId: 's', workspaceId: 'w', createdAt: at })
    await store.changeSession('s', append('t'))
    renameSync(`${base}/w`, folder.path('outside'))
    symlinkSync(folder.path('outside'), `${base}/w`)
    const before = contentOf(folder.path('outside'))
    expect(await store.loadSession('s')).toBeNull()
    expect((await failureOf(store.changeSession('s', append('t2')))).code).toBe('SESSION_NOT_FOUND')
    await store.close()
    expect(contentOf(folder.path('outside'))).toEqual(before)
  })

  it('a link in place of the store’s own folder is refused', async () => {
    mkdirSync(folder.path('outside'))
    mkdirSync(folder.path('base'))
    symlinkSync(folder.path('outside'), folder.path('base', '.turnstore'))
    const store = folder.open({}, folder.path('base'))
    expect(await failureOf(store.saveSession({ sessionId: 's' }))).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      outcome: 'not-stored',
    })
    expect(readdirSync(folder.path('outside'))).toEqual([])
  })

  it('a base that is a link is the folder that it points to, for all handles', async () => {
    mkdirSync(folder.path('real'))
    symlinkSync(folder.path('real'), folder.path('base'))
    const store = folder.open({}, folder.path('base'))
    await store.saveSession({ sessionId: 's' })
    await store.changeSession('s', append('a'))
    await folder.open({}, folder.path('real')).changeSession('s', append('b'))
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['a', 'b'])
  })
})
