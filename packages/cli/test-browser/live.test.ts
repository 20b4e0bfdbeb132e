import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { inspect, place, useBrowser } from './browser.ts'
import { longSession, parcel } from './samples.ts'

useBrowser()

describe('a session that is seen', () => {
  it('grows in the page while it runs, and only what is new is read', async () => {
    const { page, visit, store, calls } = await inspect({ sessions: [longSession('s', 100)] })
    await visit(place('s'))
    await page.locator('article').getByText('Question 0:').waitFor()
    await page
      .getByText('● live')
      .or(page.getByText('live', { exact: true }))
      .first()
      .waitFor()
    const conversation = page.getByRole('region', { name: 'Conversation' })
    await conversation.evaluate(element => element.scrollTo(0, element.scrollHeight))
    await page.locator('article').getByText('Question 99:').waitFor()
    const before = calls.length
    await store.changeSession('s', {
      appendTurns: [
        {
          turnId: 'new',
          prompt: 'A new question',
          status: 'running',
          toolCalls: [{ toolName: 'first_tool', status: 'running' }],
        },
      ],
    })
    await page.getByText('A new question').waitFor()
    await page.getByText('first_tool').waitFor()
    await store.changeSession('s', {
      updateTurns: [
        {
          turnId: 'new',
          putToolCalls: [
            { callId: 'new:0', toolName: 'first_tool', status: 'success', durationMs: 12, replace: true },
            { callId: 'b', toolName: 'second_tool' },
          ],
        },
      ],
    })
    await page.getByText('second_tool').waitFor()
    await store.changeSession('s', {
      updateTurns: [{ turnId: 'new', set: { status: 'success', responseContent: 'A new answer' } }],
    })
    await page.getByText('A new answer').waitFor()
    expect(await page.getByRole('article', { name: 'Turn 101' }).innerText()).toContain('12 ms')
    await expect.poll(() => page.getByRole('status').last().innerText()).toBe('Turn 101: success.')
    // The view stays at the end.
    expect(
      await conversation.evaluate(element => element.scrollHeight - element.scrollTop - element.clientHeight),
    ).toBeLessThan(40)
    const turnCalls = calls.slice(before).filter(call => call.startsWith('/api/turns'))
    expect(turnCalls.length).toBeLessThanOrEqual(4)
    for (const call of turnCalls) expect(call).toMatch(/from=(?:99|100)&/)
  })

  it('follows a rewind and says when it is deleted', async () => {
    const { page, visit, store } = await inspect({ sessions: [parcel] })
    await visit(place(parcel.sessionId))
    await page.getByRole('article', { name: 'Turn 4' }).waitFor()
    await store.changeSession(parcel.sessionId, { keepTurns: 1 })
    await expect.poll(() => page.getByRole('article').count()).toBe(1)
    await store.deleteSession(parcel.sessionId)
    await page.getByText('This session was deleted.', { exact: false }).first().waitFor()
  })

  it('is not moved by what comes at the end while one reads above', async () => {
    const { page, visit, store } = await inspect({ sessions: [longSession('s', 100)] })
    await visit(place('s', { turn: 'turn-40' }))
    const turn = page.getByRole('article', { name: 'Turn 41', exact: true })
    await turn.waitFor()
    await page.waitForTimeout(300)
    const top = await turn.evaluate(element => element.getBoundingClientRect().top)
    await store.changeSession('s', { appendTurns: [{ turnId: 'new', prompt: 'A new question' }] })
    await page.getByText('101 turns').first().waitFor()
    expect(await turn.evaluate(element => element.getBoundingClientRect().top)).toBeCloseTo(top, 0)
  })
})

describe('with --write', () => {
  it('renames, ends and deletes, and asks before it deletes', async () => {
    const { page, visit, store } = await inspect({ sessions: [parcel], isWritable: true })
    await visit(place(parcel.sessionId, { view: 'details' }))
    await page.getByLabel('Title').fill('Tea set, found')
    await page.getByRole('button', { name: 'Rename' }).click()
    await page.getByRole('heading', { level: 1, name: 'Tea set, found' }).waitFor()
    await page.locator('a.session').filter({ hasText: 'Tea set, found' }).waitFor()
    await page.getByRole('button', { name: 'End', exact: true }).click()
    await page.getByRole('button', { name: 'Ended', exact: true }).waitFor()
    expect((await store.loadSummary(parcel.sessionId))?.metadata).toMatchObject({
      title: 'Tea set, found',
      ended: true,
    })
    await page.getByRole('button', { name: 'Delete …' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Keep it' }).click()
    expect(await store.loadSummary(parcel.sessionId)).not.toBeNull()
    await page.getByRole('button', { name: 'Delete …' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('This store has no sessions yet.').waitFor()
    expect(await store.loadSummary(parcel.sessionId)).toBeNull()
  })

  it('deletes a session that cannot be read, and asks before', async () => {
    const { page, store, folder } = await inspect({ kind: 'file', sessions: [parcel], isWritable: true })
    await page.locator('a.session').first().waitFor()
    writeFileSync(join(folder, 'acme', `${parcel.sessionId}.json`), 'no session')
    await page.getByRole('button', { name: 'Refresh the list' }).click()
    await page.getByText('CORRUPT_SESSION').waitFor()
    await page.getByRole('button', { name: 'Delete …' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('This store has no sessions yet.').waitFor()
    expect(await store.listSessions()).toEqual([])
  })

  it('without it, nothing in the page changes a session', async () => {
    const { page, visit } = await inspect({ sessions: [parcel] })
    await visit(place(parcel.sessionId, { view: 'details' }))
    await page.getByRole('button', { name: 'Save as JSON' }).waitFor()
    expect(await page.getByRole('button', { name: /Rename|End|Delete/ }).count()).toBe(0)
    await page.getByText('read only').waitFor()
  })
})
