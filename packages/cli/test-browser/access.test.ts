import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { inspect, openAll, place, useBrowser } from './browser.ts'
import { busySession, hostile, parcel, saveSamples } from './samples.ts'

useBrowser()

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Found {
  readonly id: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

declare global {
  interface Window {
    axe: { run(): Promise<{ violations: readonly Found[] }> }
  }
}

const { sessionId } = parcel
const views = [
  ['the list', '#'],
  ['no result', '#text=zzzz'],
  ['a search', `#text=friday&session=${sessionId}&turn=turn-4`],
  ['filters', '#workspace=acme&status=success'],
  ['a conversation', place(sessionId)],
  ['a turn of 5,000 calls', place('busy')],
  ['hostile content', place(hostile.sessionId)],
  ['the timeline', place(sessionId, { view: 'timeline' })],
  ['the details', place(sessionId, { view: 'details' })],
  ['a session that does not exist', place('nothing')],
] as const

describe.each(['light', 'dark'] as const)('in %s colours', colorScheme => {
  it.each([
    ['a wide window', 1280],
    ['a phone', 360],
  ])('axe finds nothing in any view on %s, and nothing is cut off', async (_name, width) => {
    const { page, visit, store } = await inspect({
      isWritable: true,
      colorScheme,
      viewport: { width, height: 740 },
      sessions: [busySession('busy', 5000), hostile],
    })
    await saveSamples(store)
    await page.evaluate(axe)
    const found: unknown[] = []
    for (const [name, hash] of views) {
      await visit(hash)
      await page.waitForTimeout(500)
      if (name === 'a conversation') await openAll(page)
      await page.waitForTimeout(200)
      const violations = await page.evaluate(async () => (await window.axe.run()).violations)
      for (const { id, nodes } of violations) found.push([name, id, nodes.map(({ html }) => html)])
      const { scrolled, client } = await page.evaluate(() => ({
        scrolled: document.documentElement.scrollWidth,
        client: document.documentElement.clientWidth,
      }))
      if (scrolled > client) found.push([name, 'wider than the window', scrolled])
      const wide = await page
        .locator('.windowed, .details')
        .evaluateAll(boxes => boxes.flatMap(box => (box.scrollWidth > box.clientWidth ? [String(box.className)] : [])))
      if (wide.length > 0) found.push([name, 'scrolls sideways', wide])
    }
    await page
      .getByRole('button', { name: 'Keys and help' })
      .click({ timeout: 500 })
      .catch(() => {})
    const violations = await page.evaluate(async () => (await window.axe.run()).violations)
    for (const { id, nodes } of violations) found.push(['help', id, nodes.map(({ html }) => html)])
    expect(found).toEqual([])
  })
})

describe('the keyboard', () => {
  it('reaches everything: search, sessions, views, turns, calls, help', async () => {
    const { page, store } = await inspect()
    await saveSamples(store)
    await page.keyboard.press('r')
    await page.getByText('Parcel 4471 did not arrive').waitFor()
    await page.keyboard.press('/')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('search')
    // Slowly: the search begins while one still types, and must take nothing away.
    await page.keyboard.type('friday', { delay: 240 })
    await page.getByText('2 turns', { exact: true }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('n')
    await page.getByRole('heading', { level: 1, name: 'Parcel 4471 did not arrive' }).waitFor()
    await page.keyboard.press('t')
    await page.getByRole('link', { name: /Turn 3\W+error/ }).waitFor()
    await page.keyboard.press('c')
    await page.getByRole('article', { name: 'Turn 3' }).waitFor()
    const focused = (): Promise<string | null | undefined> =>
      page.evaluate(() => document.activeElement?.getAttribute('aria-label'))
    // The one that the hit led to.
    await expect.poll(focused).toBe('Turn 3')
    for (const [key, turn] of [
      ['j', 'Turn 4'],
      ['k', 'Turn 3'],
    ] as const) {
      await page.keyboard.press(key)
      await expect.poll(focused).toBe(turn)
    }
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-expanded'))).toBe('true')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await page.keyboard.press('Escape')
    expect(await page.getByRole('dialog').count()).toBe(0)
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { level: 1, name: 'Choose a session' }).waitFor()
  })

  it('single keys can be switched off', async () => {
    const { page } = await inspect({ sessions: [parcel] })
    await page.keyboard.press('?')
    await page.getByLabel('Single keys work').uncheck()
    await page.getByRole('button', { name: 'Close' }).click()
    await page.keyboard.press('/')
    expect(await page.evaluate(() => document.activeElement?.id)).not.toBe('search')
  })
})
