import { describe, expect, it } from 'vitest'
import { messagesFromTurns, type SessionChange, type SessionInput } from '@turnstore/core'
import { openStore } from '../../src/stores/open-store.ts'
import { importText, lines, load, temporaryStore, turnstore } from '../turnstore.ts'

/*
 * Copies and imports never remove or change acknowledged data in the target.
 */

const updatedAt = '2026-01-01T00:00:00Z'

async function save(url: string, session: SessionInput): Promise<void> {
  await using store = await openStore(url)
  await store.saveSession(session)
}

async function change(url: string, id: string, what: Omit<SessionChange, 'updatedAt'>): Promise<void> {
  await using store = await openStore(url)
  await store.changeSession(id, { ...what, updatedAt })
}

describe('copying again', () => {
  const call = { callId: 'c1', toolName: 'pay', arguments: { amount: 7 }, status: 'running' }
  const session: SessionInput = {
    sessionId: 's',
    turns: [{ turnId: 't', prompt: 'Pay it', status: 'running', toolCalls: [call] }],
  }

  it('never reopens a call that the target has answered (an answered payment was running again)', async () => {
    const from = temporaryStore()
    const to = temporaryStore()
    await save(from, session)
    await turnstore(['copy', '--from', from, '--to', to])
    await change(to, 's', {
      updateTurns: [
        {
          turnId: 't',
          set: { metadata: { rating: 5 } },
          putToolCalls: [{ ...call, status: 'success', result: 'paid' }],
        },
      ],
      setMetadata: { channel: 'web' },
    })
    const before = await load(to, 's')
    expect(await turnstore(['copy', '--from', from, '--to', to])).toEqual({
      code: 0,
      stdout: '1 session: 0 added, 0 grown, 1 unchanged\n',
      stderr: '',
    })
    expect(await load(to, 's')).toEqual(before)
  })

  it('combines what has advanced in the source with what has advanced in the target', async () => {
    const from = temporaryStore()
    const to = temporaryStore()
    await save(from, session)
    await turnstore(['copy', '--from', from, '--to', to])
    await change(to, 's', {
      updateTurns: [{ turnId: 't', putToolCalls: [{ ...call, status: 'success', result: 'paid' }] }],
    })
    await change(from, 's', {
      updateTurns: [{ turnId: 't', set: { status: 'success', responseContent: 'Done' } }],
      appendTurns: [{ turnId: 'u', prompt: 'Thanks' }],
    })
    expect((await turnstore(['copy', '--from', from, '--to', to])).stdout).toBe(
      '1 session: 0 added, 1 grown, 0 unchanged\n',
    )
    expect(await load(to, 's')).toMatchObject({
      turns: [
        { status: 'success', responseContent: 'Done', toolCalls: [{ status: 'success', result: 'paid' }] },
        { turnId: 'u' },
      ],
    })
  })

  it('reports different results of one call, keeps the one in the target and copies the rest', async () => {
    const from = temporaryStore()
    const to = temporaryStore()
    await save(from, session)
    await turnstore(['copy', '--from', from, '--to', to])
    const answer = (result: string): Omit<SessionChange, 'updatedAt'> => ({
      updateTurns: [{ turnId: 't', putToolCalls: [{ ...call, status: 'success', result }] }],
    })
    await change(to, 's', answer('SECRET'))
    await change(from, 's', { ...answer('SECRET 2'), appendTurns: [{ turnId: 'u', prompt: 'Thanks' }] })
    expect(await turnstore(['copy', '--from', from, '--to', to])).toEqual({
      code: 1,
      stdout: '1 session: 0 added, 1 grown, 0 unchanged (1 with contradictions)\n',
      stderr: 'Session s: the target has different content in turn 1 (t): the result of call c1; it was not changed\n',
    })
    expect(await load(to, 's')).toMatchObject({ turns: [{ toolCalls: [{ result: 'SECRET' }] }, { turnId: 'u' }] })
    const { stdout } = await turnstore(['copy', '--from', from, '--to', to, '--json'])
    expect(JSON.parse(stdout)).toEqual({
      complete: true,
      added: 0,
      grown: 0,
      unchanged: 1,
      contradicting: 1,
      left_alone: 0,
      left_out: 0,
      contradictions: [{ session_id: 's', places: ['turn 1 (t): the result of call c1'] }],
    })
  })

  it('importing an old export into its own store removes nothing', async () => {
    const url = temporaryStore()
    await save(url, session)
    const old = (await turnstore(['export'], { url })).stdout
    await change(url, 's', {
      updateTurns: [
        {
          turnId: 't',
          set: { status: 'success', responseContent: 'Done', endedAt: updatedAt },
          putToolCalls: [{ ...call, status: 'success', result: 'paid' }],
        },
      ],
    })
    const before = await load(url, 's')
    expect(await importText(old, { url })).toMatchObject({ code: 0, stderr: '' })
    expect(await load(url, 's')).toEqual(before)
  })
})

describe('importing again', () => {
  const find = { id: 'a', type: 'function', function: { name: 'find', arguments: '{"q":"tea"}' } }
  const messages: object[] = [
    { role: 'system', content: 'Be kind' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
      ],
    },
    { role: 'assistant', content: 'Let me look', tool_calls: [find] },
    { role: 'tool', tool_call_id: 'a', content: '3 kinds' },
    { role: 'assistant', content: 'Three kinds' },
  ]
  const annotations = {
    auditEventIds: ['e1'],
    agentId: 'front',
    startedAt: '2026-01-01T10:00:00Z',
    endedAt: '2026-01-01T10:01:00Z',
  }

  async function annotated(said: readonly object[]): Promise<string> {
    const { url } = await importText(lines({ id: 's', messages: said }))
    const turn = (await load(url, 's'))?.turns[0]
    const call = turn?.toolCalls[0]
    await change(url, 's', {
      updateTurns: [
        {
          turnId: 't1',
          set: { ...annotations, metadata: { ...turn?.metadata, rating: 5 } },
          ...(call === undefined ? {} : { putToolCalls: [{ ...call, durationMs: 12 }] }),
        },
      ],
    })
    return url
  }

  async function said(url: string): Promise<unknown> {
    return messagesFromTurns((await load(url, 's'))?.turns ?? [], { exact: true })
  }

  it('keeps annotations (rating, audit events, agent, times and duration were gone)', async () => {
    const url = await annotated(messages)
    const before = await load(url, 's')
    expect(await importText(lines({ id: 's', messages }), { url })).toMatchObject({
      code: 0,
      stdout: '1 session: 0 added, 0 grown, 1 unchanged\n',
    })
    expect(await load(url, 's')).toEqual(before)
  })

  it.each([2, 3, 4, 5])('goes on after an annotation of the turn that grows (of %i messages)', async length => {
    const url = await annotated(messages.slice(0, length))
    const grown = [...messages, { role: 'user', content: 'Black, please' }]
    expect(await importText(lines({ id: 's', messages: grown }), { url })).toMatchObject({
      code: 0,
      stdout: '1 session: 0 added, 1 grown, 0 unchanged\n',
    })
    expect(await load(url, 's')).toMatchObject({ turns: [{ ...annotations, metadata: { rating: 5 } }, {}] })
    expect(await said(url)).toEqual(grown)
  })

  it('continues after an annotation of an earlier turn (it was always refused)', async () => {
    const first = [...messages, { role: 'user', content: 'Black, please' }]
    const url = await annotated(first)
    const grown = [...first, { role: 'assistant', content: 'Here it is' }]
    expect(await importText(lines({ id: 's', messages: grown }), { url })).toMatchObject({ code: 0, stderr: '' })
    expect(await said(url)).toEqual(grown)
  })

  it('adds a late result to a call of an earlier turn, in its original form', async () => {
    const open = [...messages.slice(0, 3), { role: 'user', content: 'Are you there?' }]
    const url = await annotated(open)
    const result = { role: 'tool', tool_call_id: 'a', content: [{ type: 'text', text: '3 kinds' }], name: 'find' }
    expect(await importText(lines({ id: 's', messages: [...open, result] }), { url })).toMatchObject({
      code: 0,
      stdout: '1 session: 0 added, 1 grown, 0 unchanged\n',
    })
    expect(await said(url)).toEqual([...open, result])
    expect(await load(url, 's')).toMatchObject({ turns: [{ ...annotations, metadata: { rating: 5 } }, {}] })
  })

  it('keeps a result and its form if a longer transcript lacks it', async () => {
    const parts = { role: 'tool', tool_call_id: 'a', content: [{ type: 'text', text: '3 kinds' }], name: 'find' }
    const stored = [...messages.slice(0, 3), parts]
    const { url } = await importText(lines({ id: 's', messages: stored }))
    const longer = [...messages.slice(0, 3), ...messages.slice(4)]
    expect((await importText(lines({ id: 's', messages: longer }), { url })).code).toBe(1)
    expect(await said(url)).toEqual(stored)
  })

  it('completes a response that was imported while it was streaming', async () => {
    const half = [...messages.slice(0, 4), { role: 'assistant', content: 'Three k' }]
    const url = await annotated(half)
    expect(await importText(lines({ id: 's', messages }), { url })).toMatchObject({ code: 0, stderr: '' })
    expect(await said(url)).toEqual(messages)
    expect(await importText(lines({ id: 's', messages: half }), { url })).toMatchObject({
      code: 0,
      stdout: '1 session: 0 added, 0 grown, 1 unchanged\n',
    })
  })

  it('continues after a change of the system prompt, and reports it', async () => {
    const url = await annotated(messages.slice(0, 4))
    const changed = [{ role: 'system', content: 'SECRET' }, ...messages.slice(1), { role: 'user', content: 'Thanks' }]
    expect(await importText(lines({ id: 's', messages: changed }), { url })).toMatchObject({
      code: 1,
      stdout: '1 session: 0 added, 1 grown, 0 unchanged (1 with contradictions)\n',
      stderr: 'stdin:1: the target has different content in turn 1 (t1): item t1:item:0; it was not changed\n',
    })
    expect(await said(url)).toEqual([...messages, { role: 'user', content: 'Thanks' }])
  })

  it('reports a changed system prompt even if nothing else is new', async () => {
    const { url } = await importText(lines({ id: 's', messages }))
    const changed = [{ role: 'system', content: 'SECRET' }, ...messages.slice(1)]
    expect(await importText(lines({ id: 's', messages: changed }), { url })).toMatchObject({
      code: 1,
      stdout: '1 session: 0 added, 0 grown, 1 unchanged (1 with contradictions)\n',
    })
    expect(await said(url)).toEqual(messages)
  })
})
