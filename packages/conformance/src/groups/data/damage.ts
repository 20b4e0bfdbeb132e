import { SessionManager, type SessionStore } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { fails, refuses, same } from '../../checks/expect.js'
import { unless } from '../../checks/races.js'
import { changeOf, itemOf, sessionOf, toolCallOf, turnOf, turnsOf } from '../../samples/samples.js'

/** Operations that would remove data of a damaged session are refused unless the caller allows it. */
export const damageGroup: Group = { title: 'Damage', define }

function define({ it, damages }: Cases): void {
  if (damages.length === 0) {
    const skip = 'the setup has no `damages`'
    it('damage', 'refuses operations that would lose data of a damaged session', async () => {}, { skip })
    return
  }
  for (const kind of damages) {
    it(
      'damage',
      `${kind}: reports the session, and lists the others`,
      async ({ store, damage, reopen }) => {
        await storeTwo(store)
        await damage(kind, 's')
        await isReported(await reopen())
        same((await store.loadSession('other'))?.turns.length, 1, 'the turns of the other session')
      },
      { needs: 'reopen' },
    )

    it(
      'damage',
      `${kind}: refuses to save over, rewind, prune and delete it`,
      async ({ store, damage, reopen }) => {
        await storeTwo(store)
        await damage(kind, 's')
        const again = await reopen()
        // The handle that wrote the session may have cached it, but must read it again.
        for (const handle of [again, store]) {
          const manager = new SessionManager(handle)
          const calls: Record<string, () => Promise<unknown>> = {
            saveSession: () => handle.saveSession(sessionOf('s', { workspaceId: 'acme' })),
            'saveSession with ifRevision': () =>
              handle.saveSession(sessionOf('s', { workspaceId: 'acme' }), { ifRevision: 2 }),
            'startSession with replace': () =>
              manager.startSession({ sessionId: 's', workspaceId: 'acme', ifExists: 'replace' }),
            'a rewind to the beginning': () => handle.changeSession('s', changeOf({ keepTurns: 0 })),
            'a rewind by one turn': () => handle.changeSession('s', changeOf({ keepTurns: 2 })),
            pruneSessions: () => manager.pruneSessions({ updatedBefore: '2999-01-01T00:00:00Z' }),
            deleteSession: () => handle.deleteSession('s'),
            'deleteSession with evenIfDamaged: false': () => handle.deleteSession('s', { evenIfDamaged: false }),
          }
          for (const [name, call] of Object.entries(calls)) await refuses(call, 'CORRUPT_SESSION', name)
        }
        await isReported(again)
      },
      { needs: 'reopen' },
    )

    it(
      'damage',
      `${kind}: deletes it with evenIfDamaged, and frees its id`,
      async ({ store, damage, reopen }) => {
        await storeTwo(store)
        await damage(kind, 's')
        const again = await reopen()
        await sparesOthers(again)
        same(await again.deleteSession('s', { evenIfDamaged: true }), true, 'the delete')
        same(await again.deleteSession('s', { evenIfDamaged: true }), false, 'a second delete')
        same(await again.loadSession('s'), null, 'the session after it')
        same(await again.listSessions(), ['other'], 'the list after it')
        const page = await again.querySessions()
        same(
          page.sessions.map(({ sessionId }) => sessionId),
          ['other'],
          'the query after it',
        )
        same(page.damaged ?? [], [], 'the damaged sessions after it')
        same(
          await store.saveSession(sessionOf('s', { workspaceId: 'new' }), { ifRevision: 0 }),
          1,
          'the id is free again',
        )
        same((await store.loadSession('s'))?.turns, [], 'nothing of the old session')
        same((await store.loadSession('other'))?.turns.length, 1, 'the turns of the other session')
      },
      { needs: 'reopen' },
    )
  }
}

async function storeTwo(store: SessionStore): Promise<void> {
  // With a turn so large that a store may keep its parts by themselves.
  const large = turnOf('t1', { toolCalls: [toolCallOf('c', { result: 'x'.repeat(20_000) })], items: [itemOf('i')] })
  const turns = [...turnsOf(1), large]
  await store.saveSession(sessionOf('s', { workspaceId: 'acme', turns, metadata: { plan: 'pro' } }))
  // Appended, so that a store with a journal writes one; with a key, which a store keeps somewhere.
  await store.changeSession(
    's',
    changeOf({
      appendTurns: turnsOf(3).slice(2),
      appendAgentTransitions: [{ transitionId: 'x', toAgent: 'b' }],
      updateTurns: [{ turnId: 't1', putItems: [itemOf('j')] }],
    }),
    { idempotencyKey: 'k' },
  )
  await store.saveSession(sessionOf('other', { turns: turnsOf(1), updatedAt: '2999-06-01T00:00:00Z' }))
}

async function isReported(store: SessionStore): Promise<void> {
  await fails(() => store.loadSession('s'), 'CORRUPT_SESSION', 'loadSession')
  const page = await store.querySessions()
  const named = [...page.sessions, ...(page.damaged ?? [])].map(({ sessionId }) => sessionId)
  same(named.toSorted(), ['other', 's'], 'the sessions of a page and the damaged ones that it names')
}

/** A call with a workspace never deletes a session of another one, or one whose workspace cannot be read. */
async function sparesOthers(store: SessionStore): Promise<void> {
  const scoped = { workspaceId: 'elsewhere', evenIfDamaged: true }
  const deleted = await store.deleteSession('s', scoped).catch(unless('CORRUPT_SESSION'))
  same(deleted ?? false, false, 'a delete in another workspace')
  await fails(() => store.loadSession('s'), 'CORRUPT_SESSION', 'loadSession after a delete in another workspace')
}
