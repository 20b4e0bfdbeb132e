// Makes docs/images/ again: the page of `turnstore inspect` over invented sessions, in light and in dark colours. After a
// change to the page, build the packages and run
//
//   node scripts/dev.mjs run node scripts/screenshots.mjs
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { chromiumPath } from './chromium.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const cli = join(root, 'packages/cli')
const images = join(root, 'docs/images')

const { chromium } = createRequire(join(cli, 'package.json'))('playwright-core')
const load = path => import(pathToFileURL(join(cli, path)).href)
const { openStore } = await load('dist/index.js')
const { startInspector } = await load('dist/inspector/index.js')
const { parcel, samples } = await load('test-browser/samples.ts')

const store = await openStore('memory:')
// Not every machine has fonts for all scripts.
const isLatin = ({ metadata }) => !/[\u0600-\u06ff\u3000-\u9fff]/.test(JSON.stringify(metadata))
for (const session of samples.filter(isLatin)) await store.saveSession(session)
const inspector = await startInspector({ store, label: 'sqlite:./sessions.db', isWritable: false }, 0)
const browser = await chromium.launch({
  executablePath: chromiumPath(),
  args: ['--no-sandbox', '--disable-gpu', '--disable-lcd-text'],
})
mkdirSync(images, { recursive: true })

const views = {
  conversation: `session=${parcel.sessionId}&turn=turn-3`,
  timeline: `session=${parcel.sessionId}&view=timeline`,
}
for (const colorScheme of ['light', 'dark']) {
  const context = await browser.newContext({
    viewport: { width: 1080, height: 600 },
    colorScheme,
    locale: 'en-GB',
    timezoneId: 'UTC',
  })
  for (const [name, hash] of Object.entries(views)) {
    const page = await context.newPage()
    await page.goto(`${inspector.url}#${hash}`)
    await page.locator('main article, main .span-bar').first().waitFor()
    await page.waitForLoadState('load')
    // The focus of a turn that a link leads to is no part of the picture.
    await page.waitForTimeout(500)
    await page.evaluate(() => document.activeElement?.blur())
    await page.screenshot({ path: join(images, `inspect-${name}-${colorScheme}.png`) })
    await page.close()
  }
  await context.close()
}
await browser.close()
await inspector.close()
await store.close()
