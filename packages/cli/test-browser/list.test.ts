import { describe, expect, it } from 'vitest'
import { inspect, place, useBrowser } from './browser.ts'
import { parcel, saveSamples } from './samples.ts'

useBrowser()

const many = Array.from({ length: 180 }, (_, index) => ({
  sessionId: `s-${String(index).padStart(3, '0')}`,
  workspaceId: index % 2 === 0 ? 'even' : 'odd',
  metadata: { number: index, channel: index < 3 ? 'web' : 'mail', ...(index === 7 ? { ended: true } : {}) },
  updatedAt: new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString(),
  turns: [{ turnId: 't', prompt: `Prompt ${index}`, status: index === 5 ? 'error' : 'success' }],
}))

describe('the list of sessions', () => {
  it('has the latest first, with title, last prompt, status and time, and says when it is empty', async () => {
    const { page, store } = await inspect()
    await page.getByText('This store has no sessions yet.').waitFor()
    await saveSamples(store)
    await page.getByRole('button', { name: 'Refresh the list' }).click()
    const rows = page.getByRole('list', { name: 'List of sessions' }).getByRole('listitem')
    await expect.poll(() => rows.count()).toBe(8)
    expect(await rows.nth(0).innerText()).toMatch(/Review of pull request 2291[^]*Review the diff[^]*running[^]*1 turn/)
    const row = rows.filter({ hasText: 'Parcel 4471 did not arrive' })
    expect(await row.innerText()).toMatch(/3 Jun[^]*Shall I try again later\?[^]*success[^]*4 turns[^]*acme/)
  })

  it('reads its pages as one scrolls, and keeps only the rows in view in the document', async () => {
    const { page, calls } = await inspect({ sessions: many })
    const list = page.getByRole('region', { name: 'List of sessions' })
    await page.getByText('Prompt 179').waitFor()
    expect(calls.filter(call => /sessions.*cursor=/.test(call))).toEqual([])
    await expect
      .poll(async () => {
        await list.evaluate(element => element.scrollTo(0, element.scrollHeight))
        return page.getByText('180 sessions').count()
      })
      .toBe(1)
    await list.evaluate(element => element.scrollTo(0, element.scrollHeight))
    await page.getByText('Prompt 0', { exact: true }).waitFor()
    expect(calls.filter(call => /sessions.*cursor=/.test(call))).toHaveLength(3)
    expect(await page.getByRole('listitem').count()).toBeLessThan(60)
  })

  it('shows by itself what is new, has changed or is gone, and keeps what the reader has scrolled to', async () => {
    const { page, store } = await inspect({ sessions: many })
    const list = page.getByRole('region', { name: 'List of sessions' })
    const rows = page.getByRole('list', { name: 'List of sessions' }).getByRole('listitem')
    await page.getByText('Prompt 179').waitFor()
    const append = async (sessionId: string, prompt: string, updatedAt: string): Promise<void> => {
      await store.changeSession(sessionId, { appendTurns: [{ turnId: 'new', prompt }], updatedAt })
    }
    await append('s-100', 'Another one', '2026-02-01T00:00:00Z')
    const turns = [{ turnId: 't', prompt: 'A new question' }]
    await store.saveSession({ sessionId: 'new', updatedAt: '2026-03-01T00:00:00Z', turns })
    await store.deleteSession('s-178')
    await page.getByText('A new question').waitFor()
    expect(await rows.first().innerText()).toContain('A new question')
    expect(await rows.nth(1).innerText()).toContain('Another one')
    expect(await page.getByText('Prompt 178', { exact: true }).count()).toBe(0)
    await expect
      .poll(async () => {
        await list.evaluate(element => element.scrollTo(0, element.scrollHeight))
        return page.getByText('180 sessions').count()
      })
      .toBe(1)
    await append('s-099', 'The third', '2026-04-01T00:00:00Z')
    await list.evaluate(element => element.scrollTo(0, 0))
    await page.getByText('The third').waitFor()
    await list.evaluate(element => element.scrollTo(0, element.scrollHeight))
    await page.getByText('Prompt 0', { exact: true }).waitFor()
    await page.getByText('180 sessions').waitFor()
  })

  it('filters by workspace, agent, status, ended and metadata, and keeps the filters in its address', async () => {
    const { page } = await inspect({ sessions: many })
    await page.getByRole('button', { name: 'Filter' }).click()
    const rows = page.getByRole('list', { name: 'List of sessions' }).getByRole('listitem')
    const set = async (label: string, text: string, expected: number): Promise<void> => {
      await page.getByLabel(label, { exact: true }).fill(text)
      await page.getByText(`${expected} session${expected === 1 ? '' : 's'}`, { exact: true }).waitFor()
      expect(await rows.count()).toBe(expected)
    }
    await set('Metadata', 'channel=web', 3)
    await set('Workspace', 'odd', 1)
    await page.getByText('Prompt 1', { exact: true }).waitFor()
    await page.getByLabel('Metadata').fill('number:=5, channel=mail')
    await page.getByText('Prompt 5', { exact: true }).waitFor()
    await page.getByLabel('Status of the last turn').fill('error')
    await page.waitForURL(/status=error/)
    await page.reload()
    await page.getByText('Prompt 5', { exact: true }).waitFor()
    expect(await page.getByLabel('Workspace').inputValue()).toBe('odd')
    await page.getByLabel('Agent').fill('nobody')
    await page.getByText('No session meets these filters.').waitFor()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.getByText('Prompt 179').waitFor()
    await page.getByLabel('Ended').selectOption('Ended')
    await page.getByText('1 session', { exact: true }).waitFor()
    await page.getByText('Prompt 7', { exact: true }).waitFor()
  })

  it('says what is wrong with a filter', async () => {
    const { page } = await inspect({ sessions: many.slice(0, 2) })
    await page.getByRole('button', { name: 'Filter' }).click()
    await page.getByLabel('Metadata').fill('nothing')
    expect(await page.getByRole('alert').innerText()).toContain('Metadata must be key=text')
  })

  it('takes the token out of the address; a reload and a second tab still work', async () => {
    const { page, newTab } = await inspect({ sessions: [parcel] })
    expect(new URL(page.url()).search).toBe('')
    await page.reload()
    await page.getByText('Parcel 4471 did not arrive').waitFor()
    const tab = await newTab()
    await tab.getByText('Parcel 4471 did not arrive').waitFor()
  })
})

describe('search', () => {
  it('shows what matches in its context, and leads to the turn', async () => {
    const { page, store } = await inspect()
    await saveSamples(store)
    await page.getByRole('searchbox').fill('"friday between"')
    await page.getByText('1 turn', { exact: true }).waitFor()
    expect(await page.locator('mark').allInnerTexts()).toContain('Friday between')
    await page.locator('a.session').click()
    const turn = page.getByRole('article', { name: 'Turn 4' })
    await expect.poll(() => turn.evaluate(element => element.contains(document.activeElement))).toBe(true)
    await page.getByRole('searchbox').fill('zzz')
    await page.getByText('No turn has these words.').waitFor()
  })

  it('says so if the turn is gone', async () => {
    const { page, visit } = await inspect({ sessions: [parcel] })
    await visit(place(parcel.sessionId, { turn: 'gone' }))
    await expect.poll(() => page.getByRole('alert').innerText()).toContain('TURN_NOT_FOUND')
  })
})
