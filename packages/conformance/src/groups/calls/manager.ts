import { SessionManager } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { fails, holds, same } from '../../checks/expect.js'
import { appendOf, turnIdsOf } from '../../samples/samples.js'

/** The life of a session with the session manager. */
export const managerGroup: Group = { title: 'Session manager', define }

function define({ it }: Cases): void {
  it('manager', 'leads a session from its start to its end', async ({ store }) => {
    const manager = new SessionManager(store, { now: clock() })
    same(manager.store, store, 'its store')
    const { sessionId, revision } = await manager.startSession({
      workspaceId: 'w',
      agentId: 'triage',
      metadata: { customer: 'C-1' },
    })
    holds(/^[0-9a-f]{32}$/.test(sessionId), `a random id is 32 hex digits, not ${sessionId}`)
    same(revision, 1, 'the revision of a new session')
    const { turn, deduplicated } = await manager.recordTurn(sessionId, {
      turnId: 't1',
      prompt: 'Where is my parcel?',
      toolCalls: [{ toolName: 'track', result: { place: 'depot' } }],
    })
    same([turn.turnId, turn.toolCalls[0]?.callId, deduplicated], ['t1', 't1:0', []], 'the recorded turn')
    const again = await manager.recordTurn(sessionId, {
      turnId: 't1',
      prompt: 'Where is my parcel?',
      toolCalls: turn.toolCalls,
    })
    same([again.deduplicated, again.revision], [['t1'], 2], 'recording it again')
    await manager.recordAgentTransition(sessionId, { fromAgent: 'triage', toAgent: 'billing', turnId: 't1' })
    await manager.endSession(sessionId)
    const session = await manager.getSession(sessionId)
    same(session?.metadata, { customer: 'C-1', ended: true }, 'the metadata at the end')
    same(session && turnIdsOf(session), ['t1'], 'the turns')
    same(
      session?.agentTransitions.map(({ toAgent }) => toAgent),
      ['billing'],
      'the transitions',
    )
    same(session?.revision, 4, 'a revision for each of four changes')
    holds((session?.updatedAt ?? '') > (session?.createdAt ?? ''), 'updatedAt moves on with each change')
    same(await manager.listSessions({ workspaceId: 'w' }), [sessionId], 'listSessions')
    same(await manager.deleteSession(sessionId), true, 'deleteSession')
    same(await manager.getSession(sessionId), null, 'getSession after that')
  })

  it('manager', 'fails without a session', async ({ store }) => {
    const manager = new SessionManager(store)
    const calls = {
      recordTurn: () => manager.recordTurn('none', { prompt: 'x' }),
      recordAgentTransition: () => manager.recordAgentTransition('none', { toAgent: 'x' }),
      endSession: () => manager.endSession('none'),
      updateTurn: () => manager.updateTurn('none', 't', {}),
      recordToolCall: () => manager.recordToolCall('none', 't', { toolName: 'x' }),
      rewindSession: () => manager.rewindSession('none', 0),
      forkSession: () => manager.forkSession('none'),
      getTurns: () => manager.getTurns('none'),
      getMessages: () => manager.getMessages('none'),
    }
    for (const [name, call] of Object.entries(calls)) {
      const error = await fails(call, 'SESSION_NOT_FOUND', name, { sessionId: 'none' })
      same(error.message, 'Session not found: none', `the message of ${name}`)
    }
    same(await manager.getSession('none'), null, 'getSession')
    same(await manager.deleteSession('none'), false, 'deleteSession')
    same(await store.listSessions(), [], 'sessions after that')
  })

  it('manager', 'fails, resumes or replaces if the id is in use', async ({ store }) => {
    const manager = new SessionManager(store)
    await manager.startSession({ sessionId: 's', metadata: { first: true } })
    await manager.recordTurn('s', { turnId: 't1' })
    await manager.endSession('s')
    await fails(() => manager.startSession({ sessionId: 's' }), 'SESSION_EXISTS', 'by default', { sessionId: 's' })
    same(await store.loadSession('s').then(session => session?.turns.length), 1, 'turns after that')
    const resumed = await manager.startSession({ sessionId: 's', ifExists: 'resume', metadata: { b: 1 }, agentId: 'a' })
    same(
      [resumed.metadata, resumed.agentId, turnIdsOf(resumed)],
      [{ first: true, b: 1 }, 'a', ['t1']],
      'resumed, not ended any more, with the metadata and the agent of the call',
    )
    same(await manager.getSession('s'), resumed, 'what is stored')
    const replaced = await manager.startSession({ sessionId: 's', ifExists: 'replace' })
    same([replaced.turns, replaced.metadata, replaced.revision], [[], {}, resumed.revision + 1], 'replaced')
    same(await manager.getSession('s'), replaced, 'what is stored after that')
    const fresh = await manager.startSession({ sessionId: 'new', ifExists: 'resume' })
    same(fresh.revision, 1, 'resuming a missing session creates it')
    for (const ifExists of ['fail', 'resume', 'replace'] as const) {
      const start = () => manager.startSession({ sessionId: 's', workspaceId: 'w', ifExists })
      await fails(start, 'SESSION_EXISTS', `${ifExists} from another workspace`)
    }
    same(await manager.getSession('s'), replaced, 'after attempts from another workspace')
  })

  it('manager', 'lets a running turn grow, and stores each tool call as it completes', async ({ store }) => {
    const manager = new SessionManager(store)
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't', prompt: 'x', status: 'running' })
    await Promise.all(['a', 'b', 'c'].map(callId => manager.recordToolCall('s', 't', { callId, toolName: 'search' })))
    await manager.recordToolCall('s', 't', { callId: 'b', toolName: 'search', result: 'found' })
    await manager.updateTurn('s', 't', { status: 'success', responseContent: 'Done.' })
    const [turn] = await manager.getTurns('s')
    same(turn?.toolCalls.map(({ callId }) => callId).toSorted(), ['a', 'b', 'c'], 'tool calls')
    same(turn?.toolCalls.find(({ callId }) => callId === 'b')?.result, 'found', 'the call that was recorded again')
    same([turn?.status, turn?.responseContent], ['success', 'Done.'], 'the turn')
    await fails(() => manager.updateTurn('s', 'none', {}), 'TURN_NOT_FOUND', 'a missing turn')
    const retried = await manager.recordTurn('s', { turnId: 't', prompt: 'x', status: 'running' })
    same(retried.deduplicated, ['t'], 'the late retry of its beginning')
  })

  it('manager', 'rewinds, forks and resumes a conversation', async ({ store }) => {
    const manager = new SessionManager(store)
    await manager.startSession({ sessionId: 's', workspaceId: 'w', metadata: { a: 1, b: 1 } })
    for (const turnId of ['t1', 't2', 't3'])
      await manager.recordTurn('s', { turnId, prompt: `ask ${turnId}`, responseContent: 'yes' })
    await manager.recordAgentTransition('s', { toAgent: 'billing', turnId: 't3' })
    await manager.endSession('s')
    const fork = await manager.forkSession('s', { turns: 2, sessionId: 'fork', metadata: { b: 2 } })
    same([turnIdsOf(fork), fork.agentTransitions, fork.metadata], [['t1', 't2'], [], { a: 1, b: 2 }], 'the fork')
    same([fork.parentSessionId, fork.workspaceId, fork.revision], ['s', 'w', 1], 'its origin')
    same(await manager.getSession('fork'), fork, 'the fork as it is stored')
    same(
      (await manager.getMessages('fork', { last: 1 })).map(({ content }) => content),
      ['ask t2', 'yes'],
      'its last messages',
    )
    await fails(() => manager.forkSession('s', { sessionId: 'fork' }), 'SESSION_EXISTS', 'a fork onto an id in use')
    const { revision } = await manager.rewindSession('s', 1)
    same(
      (await manager.getTurns('s')).map(({ turnId }) => turnId),
      ['t1'],
      'after a rewind',
    )
    await fails(
      () => manager.rewindSession('s', 0, { ifRevision: revision - 1 }),
      'REVISION_CONFLICT',
      'a rewind that is late',
    )
    const children = await manager.querySessions({ parentSessionId: 's' })
    same(
      children.sessions.map(({ sessionId }) => sessionId),
      ['fork'],
      'forks of the session',
    )
  })

  it('manager', 'prunes old and ended sessions, and no others', async ({ store }) => {
    const manager = new SessionManager(store, { now: () => '2026-01-01T00:00:00Z' })
    const later = new SessionManager(store, { now: () => '2026-06-01T00:00:00Z' })
    await manager.startSession({ sessionId: 'old' })
    await manager.startSession({ sessionId: 'old-ended' })
    await manager.endSession('old-ended')
    await later.startSession({ sessionId: 'new' })
    await later.startSession({ sessionId: 'new-ended' })
    await later.endSession('new-ended')
    await store.saveSession({ sessionId: 'timeless' })
    await fails(() => manager.pruneSessions({}), 'INVALID_ARGUMENT', 'without a condition')
    const updatedBefore = '2026-03-01T00:00:00Z'
    same(await manager.pruneSessions({ updatedBefore, ended: true }), ['old-ended'], 'old and ended')
    same(await manager.pruneSessions({ updatedBefore }), ['old'], 'old')
    same(await manager.pruneSessions({ ended: true }), ['new-ended'], 'ended')
    same((await store.listSessions()).toSorted(), ['new', 'timeless'], 'what stays')
  })

  it('scope', 'sees only its workspace', async ({ store }) => {
    const open = new SessionManager(store)
    await open.startSession({ sessionId: 'theirs', workspaceId: 'b' })
    await open.recordTurn('theirs', { turnId: 't' })
    const manager = new SessionManager(store, { workspaceId: 'a' })
    await manager.startSession({ sessionId: 'ours' })
    same(await manager.getSession('theirs'), null, 'getSession')
    same(await manager.listSessions(), ['ours'], 'listSessions')
    same(
      (await manager.querySessions()).sessions.map(({ sessionId }) => sessionId),
      ['ours'],
      'querySessions',
    )
    same(await manager.deleteSession('theirs'), false, 'deleteSession')
    same(await manager.pruneSessions({ ended: false }), ['ours'], 'pruneSessions')
    await fails(() => manager.recordTurn('theirs', {}), 'SESSION_NOT_FOUND', 'recordTurn')
    await fails(() => manager.forkSession('theirs'), 'SESSION_NOT_FOUND', 'forkSession')
    await fails(
      () => manager.startSession({ sessionId: 'theirs', ifExists: 'resume' }),
      'SESSION_EXISTS',
      'startSession',
    )
    await fails(
      () => manager.listSessions({ workspaceId: 'b' }),
      'INVALID_ARGUMENT',
      'listSessions of another workspace',
    )
    same((await store.changeSession('theirs', appendOf('t2'))).turnCount, 2, 'their session')
  })
}

/** A clock that advances by a second per call. */
function clock(): () => Date {
  let time = Date.UTC(2026, 0, 31)
  return () => new Date((time += 1000))
}
