import type { Cases, Group } from '../../cases/cases.js'
import { fail, fails, refuses, same, show } from '../../checks/expect.js'
import { hazardousIds, hazardousPairs, invalidIds, noIds } from '../../samples/hazards.js'
import { methods, methodsOfOneSession, untyped } from '../../samples/methods.js'
import { appendOf, changeOf, sessionOf, toolCallOf, transitionOf, turnOf, turnIdsOf } from '../../samples/samples.js'

/** Valid ids of every kind work and do not collide. Invalid ids are refused. */
export const idsGroup: Group = { title: 'Ids', define }

function define({ it }: Cases): void {
  it('ids', 'keeps sessions apart, whatever their ids look like', async ({ store }) => {
    for (const id of hazardousIds) {
      const saving = store.saveSession(sessionOf(id, { agentId: `of ${id}`.slice(0, 50) }), { ifRevision: 0 })
      const revision = await saving.catch(async error => {
        const found = await store.loadSession(id)
        if (found === null || found.sessionId === id) throw error
        return fail(`the id ${show(id)} reaches the session of ${show(found.sessionId)}`)
      })
      same(revision, 1, `saving ${show(id)}`)
    }
    same((await store.listSessions()).toSorted(), [...hazardousIds].toSorted(), 'listSessions')
    for (const id of hazardousIds) await store.changeSession(id, appendOf('t', { prompt: id }))
    for (const id of hazardousIds) {
      const session = await store.loadSession(id)
      same([session?.sessionId, session?.turns.map(turn => turn.prompt)], [id, [id]], `session ${show(id)}`)
      same((await store.loadSummary(id))?.sessionId, id, `summary of ${show(id)}`)
      same(
        (await store.readTurns(id, { last: 9 }))?.turns.map(turn => turn.prompt),
        [id],
        `turns of ${show(id)}`,
      )
    }
    for (const [index, id] of hazardousIds.entries()) {
      same(await store.deleteSession(id), true, `deleting ${show(id)}`)
      same(await store.deleteSession(id), false, `deleting ${show(id)} again`)
      if (index % 16 === 0)
        same((await store.listSessions()).length, hazardousIds.length - index - 1, `sessions left after ${show(id)}`)
    }
    same(await store.listSessions(), [], 'sessions left')
  })

  it('ids', 'keeps workspaces apart, whatever their ids look like', async ({ store }) => {
    for (const [index, workspaceId] of hazardousIds.entries()) {
      await store.saveSession(sessionOf(`in ${index}`, { workspaceId }), { workspaceId })
    }
    // A workspace may be named null or undefined, next to sessions without a workspace.
    await store.saveSession(sessionOf('in none'))
    same(await store.listSessions({ workspaceId: null }), ['in none'], 'listSessions of those without a workspace')
    const { sessions: without } = await store.querySessions({ workspaceId: null })
    same(
      without.map(({ sessionId }) => sessionId),
      ['in none'],
      'query of those without a workspace',
    )
    for (const [index, workspaceId] of hazardousIds.entries()) {
      same(await store.listSessions({ workspaceId }), [`in ${index}`], `listSessions of workspace ${show(workspaceId)}`)
      const { sessions } = await store.querySessions({ workspaceId })
      same(
        sessions.map(session => [session.sessionId, session.workspaceId]),
        [[`in ${index}`, workspaceId]],
        `query of ${show(workspaceId)}`,
      )
      const other = hazardousIds[(index + 1) % hazardousIds.length] ?? ''
      same(
        await store.loadSummary(`in ${index}`, { workspaceId: other }),
        null,
        `a session of ${show(workspaceId)} in the scope ${show(other)}`,
      )
    }
  })

  it('ids', 'keeps pairs of workspace and session apart that a separator would make equal', async ({ store }) => {
    for (const [workspaceId, sessionId] of hazardousPairs) {
      await store.saveSession(sessionOf(sessionId, { workspaceId, turns: [turnOf('t', { prompt: workspaceId })] }), {
        ifRevision: 0,
      })
    }
    for (const [workspaceId, sessionId] of hazardousPairs) {
      const session = await store.loadSession(sessionId, { workspaceId })
      same(
        session?.turns.map(turn => turn.prompt),
        [workspaceId],
        `session ${show(sessionId)} of ${show(workspaceId)}`,
      )
    }
    same((await store.listSessions()).length, hazardousPairs.length, 'number of sessions')
  })

  it('ids', 'keeps pairs of session and turn apart, and of key and value of metadata', async ({ store }) => {
    for (const [left] of hazardousPairs) await store.saveSession(sessionOf(left))
    for (const [left, right] of hazardousPairs) {
      const prompt = `${left} and ${right}`
      const change = changeOf({ appendTurns: [turnOf(right, { prompt })], setMetadata: keyed(left, right) })
      same((await store.changeSession(left, change)).deduplicated, [], `appending ${show(right)} to ${show(left)}`)
      same(
        (await store.querySessions({ metadata: keyed(left, right) })).sessions.map(({ sessionId }) => sessionId),
        [left],
        `the sessions whose metadata has ${show(right)} as ${show(left)}`,
      )
    }
    for (const [left, right] of hazardousPairs) {
      const page = await store.readTurns(left, { turnId: right })
      same(
        page?.turns.map(({ prompt }) => prompt),
        [`${left} and ${right}`],
        `the turn ${show(right)} of ${show(left)}`,
      )
    }
  })

  it(
    'ids',
    'keeps turns, tool calls, agent transitions and agents apart, whatever their ids look like',
    async ({ store }) => {
      await store.saveSession(sessionOf('s'))
      for (const id of hazardousIds) {
        await store.changeSession(
          's',
          changeOf({
            appendTurns: [turnOf(id, { prompt: id, agentId: id })],
            appendAgentTransitions: [transitionOf(id, { toAgent: id, fromAgent: id, turnId: id })],
            agentId: id,
          }),
        )
      }
      const session = await store.loadSession('s')
      same(session && turnIdsOf(session), hazardousIds, 'turns')
      same(
        session?.agentTransitions.map(({ transitionId }) => transitionId),
        hazardousIds,
        'transitions',
      )
      for (const [index, id] of hazardousIds.entries()) {
        const page = await store.readTurns('s', { turnId: id })
        same([page?.firstIndex, page?.turns.map(turn => turn.prompt)], [index, [id]], `turn ${show(id)}`)
      }
      await store.changeSession(
        's',
        changeOf({
          updateTurns: hazardousIds.map(turnId => ({
            turnId,
            set: { responseContent: turnId },
            putToolCalls: [toolCallOf(turnId)],
          })),
        }),
      )
      const turns = (await store.loadSession('s'))?.turns
      same(
        turns?.map(turn => turn.responseContent),
        hazardousIds,
        'responses after updates by id',
      )
      same(
        turns?.map(turn => turn.toolCalls.map(({ callId }) => callId)),
        hazardousIds.map(id => [id]),
        'tool calls put by turn id',
      )
      await store.changeSession(
        's',
        changeOf({
          updateTurns: [{ turnId: 'a', putToolCalls: hazardousIds.map(id => toolCallOf(id, { result: id })) }],
        }),
      )
      const calls = (await store.readTurns('s', { turnId: 'a' }))?.turns[0]?.toolCalls
      same(
        calls?.map(({ result }) => result).toSorted(),
        [...hazardousIds].toSorted(),
        'results of tool calls put into one turn',
      )
    },
  )

  it('ids', 'finds sessions by agent, parent and metadata keys, whatever they look like', async ({ store }) => {
    const ids = hazardousIds.filter((_, index) => index % 4 === 0)
    for (const id of ids) {
      await store.saveSession(sessionOf(id, { agentId: id, parentSessionId: id, metadata: keyed(id) }))
    }
    for (const id of ids) {
      for (const query of [{ agentId: id }, { parentSessionId: id }, { metadata: keyed(id) }]) {
        const { sessions } = await store.querySessions(query)
        same(
          sessions.map(({ sessionId }) => sessionId),
          [id],
          `the query ${show(query)}`,
        )
      }
    }
  })

  for (const name of methodsOfOneSession) {
    it('ids', `${name} refuses invalid ids`, async ({ store }) => {
      await store.saveSession(sessionOf('a'))
      const { kind, call } = methods[name]
      const expectFailure = kind === 'write' ? refuses : fails
      for (const id of [...invalidIds, ...noIds]) {
        const isRecord = name === 'saveSession' && typeof id !== 'string'
        await expectFailure(
          () => call(store, untyped(id)),
          isRecord ? 'INVALID_RECORD' : 'INVALID_ID',
          `${name}(${show(id)})`,
        )
        if (typeof id !== 'string') continue
        await expectFailure(
          () => call(store, 'a', { workspaceId: id }),
          'INVALID_ID',
          `${name} with workspaceId ${show(id)}`,
        )
      }
      same(await store.loadSession('a'), sessionOf('a'), 'the session after that')
      same(await store.listSessions(), ['a'], 'sessions after that')
    })
  }

  it('ids', 'refuses invalid ids in records and in changes', async ({ store }) => {
    await store.saveSession(sessionOf('a', { turns: [turnOf('t')] }))
    for (const id of invalidIds) {
      const records = [sessionOf('b', { workspaceId: id }), sessionOf('b', { parentSessionId: id })]
      for (const record of records)
        await refuses(() => store.saveSession(record), 'INVALID_ID', `saving ${show(record)}`)
      const changes = [
        changeOf({ appendTurns: [turnOf('new'), turnOf(id)] }),
        changeOf({ appendTurns: [turnOf('new', { agentId: id })] }),
        changeOf({ updateTurns: [{ turnId: 't', set: { agentId: id } }] }),
        changeOf({ appendAgentTransitions: [transitionOf(id)] }),
        changeOf({ appendAgentTransitions: [transitionOf('h', { toAgent: id })] }),
        changeOf({ appendAgentTransitions: [transitionOf('h', { fromAgent: id })] }),
        changeOf({ agentId: id }),
        // An empty turnId means that the turn is unknown.
        ...(id === '' ? [] : [changeOf({ appendAgentTransitions: [transitionOf('h', { turnId: id })] })]),
      ]
      for (const change of changes)
        await refuses(() => store.changeSession('a', change), 'INVALID_ID', `a change with ${show(change)}`)
      const missing = changeOf({ updateTurns: [{ turnId: id, set: {} }] })
      await refuses(() => store.changeSession('a', missing), 'TURN_NOT_FOUND', `an update of turn ${show(id)}`)
    }
    same(await store.loadSession('a'), sessionOf('a', { turns: [turnOf('t')] }), 'the session after that')
    same(await store.listSessions(), ['a'], 'sessions after that')
  })
}

/** `{ [key]: key }`, where `__proto__` is an ordinary key. */
function keyed(key: string, value = key): Record<string, string> {
  return Object.fromEntries([[key, value]])
}
