import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SessionInput, SessionStore } from '@turnstore/core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { openStore } from 'turnstore'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { chromiumPath } from '../../../scripts/chromium.mjs'
import { startInspector } from '../src/inspector/inspector.ts'

const executablePath = chromiumPath()

let browser: Browser

/** One browser for the tests of a file. */
export function useBrowser(): void {
  beforeAll(async () => {
    if (executablePath === undefined) throw new Error('There is no Chromium: npm run test:browser installs one')
    browser = await chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
  })
  afterAll(() => browser.close())
}

export interface Inspected {
  readonly store: SessionStore
  /** Of the files of the store. */
  readonly folder: string
  readonly page: Page
  /** Of the calls that the page has made, such as `/api/turns?id=s&from=0`. */
  readonly calls: string[]
  /** Opens a place of the page. */
  readonly visit: (hash: string) => Promise<void>
  /** A second tab, with the same storage and cookies. */
  readonly newTab: () => Promise<Page>
}

interface Options extends BrowserContextOptions {
  readonly kind?: 'sqlite' | 'file'
  readonly isWritable?: boolean
  readonly sessions?: readonly SessionInput[]
}

/**
 * A store that is served to a new page. When the test is over, the page must have had no error and asked for nothing
 * but what is on loopback.
 */
export async function inspect({
  kind = 'sqlite',
  isWritable = false,
  sessions = [],
  ...options
}: Options = {}): Promise<Inspected> {
  const folder = mkdtempSync(join(tmpdir(), 'turnstore-browser-'))
  const store = await openStore(`${kind}:${join(folder, 'sessions.db')}`)
  for (const session of sessions) await store.saveSession(session)
  const inspector = await startInspector({ store, label: 'sqlite:./sessions.db', isWritable }, 0)
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const calls: string[] = []
  const problems: string[] = []
  const { origin } = new URL(inspector.url)
  context.on('request', request => {
    const url = new URL(request.url())
    if (url.origin === origin) calls.push(`${url.pathname}${url.search}`)
    else if (url.protocol !== 'data:' && url.protocol !== 'blob:') problems.push(`asked for ${request.url()}`)
  })
  context.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
  })
  context.on('weberror', error => problems.push(String(error.error())))
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  onTestFinished(async () => {
    await context.close()
    await inspector.close()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
    expect(problems.filter(problem => !isExpected(problem))).toEqual([])
  })
  await page.goto(inspector.url)
  await page.getByRole('navigation', { name: 'Sessions' }).waitFor()
  return {
    store,
    folder: join(folder, 'sessions.db'),
    page,
    calls,
    visit: async hash => {
      await page.evaluate(place => {
        location.hash = place
      }, hash)
    },
    newTab: async () => {
      const tab = await context.newPage()
      await tab.goto(origin)
      return tab
    },
  }
}

/** Chromium logs each refusal of a server; a test that asks for one sees it in the page. */
function isExpected(problem: string): boolean {
  return /Failed to load resource: the server responded with a status of 4\d\d/.test(problem)
}

export const place = (session: string, more: Readonly<Record<string, string>> = {}): string =>
  `#${new URLSearchParams({ session, ...more })}`

/** Opens everything in the session that is folded. */
export async function openAll(page: Page): Promise<void> {
  await page.locator('main button[aria-expanded="false"]').evaluateAll(buttons => {
    for (const button of buttons) if (button instanceof HTMLElement) button.click()
  })
}
