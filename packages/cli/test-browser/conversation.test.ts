import { describe, expect, it } from 'vitest'
import { inspect, openAll, place, useBrowser } from './browser.ts'
import { busySession, DOT, hostile, hostileText, longSession, parcel, saveSamples } from './samples.ts'

useBrowser()

describe('a conversation', () => {
  it('has prompts, calls, transitions, responses and errors', async () => {
    const { page, visit } = await inspect({ sessions: [parcel] })
    await visit(place(parcel.sessionId))
    const third = page.getByRole('article', { name: 'Turn 3' })
    await third.getByText('northpost: 503 Service Unavailable after 3 attempts').waitFor()
    expect(await third.innerText()).toMatch(/error[^]*41 s[^]*delivery[^]*2 tool calls[^]*offer_slots[^]*30 s/)
    const second = page.getByRole('article', { name: 'Turn 2' })
    expect(await second.getByRole('list', { name: 'Agent transitions' }).innerText()).toMatch(/triage → delivery/)
  })

  it('opens a call with its arguments, its result and the images in it', async () => {
    const { page, visit, calls } = await inspect({ sessions: [parcel] })
    await visit(place(parcel.sessionId))
    const call = page.getByRole('button', { name: /read_photo/ })
    await call.waitFor()
    expect(calls.filter(each => each.startsWith('/api/call?'))).toEqual([])
    await call.click()
    await page.getByText('A green door with a brass bell.').waitFor()
    const image = page.getByRole('img', { name: 'Image 1 of result' })
    expect(await image.getAttribute('src')).toBe(`data:image/png;base64,${DOT}`)
    await expect
      .poll(() => image.evaluate(element => element instanceof HTMLImageElement && element.naturalWidth))
      .toBe(5)
  })

  it('shows items and turns as JSON on demand', async () => {
    const { page, visit } = await inspect({ sessions: [parcel] })
    await visit(place(parcel.sessionId))
    await page.getByRole('button', { name: '1 item' }).click()
    await page.getByRole('button', { name: /^chat/ }).click()
    await page.getByText('"item_id": "item-1"').waitFor()
    await page.getByRole('button', { name: 'JSON of turn 3' }).click()
    const turn = page.getByRole('group', { name: 'Turn, without its calls and items' })
    await expect.poll(() => turn.innerText()).toContain('"turn_id": "turn-3"')
  })

  it('shows the beginning of a very long text, and the rest on demand', async () => {
    const prompt = `${'long '.repeat(50_000)}the end`
    const { page, visit } = await inspect({ sessions: [{ sessionId: 's', turns: [{ turnId: 't', prompt }] }] })
    await visit(place('s'))
    const more = page.getByRole('button', { name: /Show more/ })
    await more.waitFor()
    const text = page.getByRole('group', { name: 'Prompt' }).locator('.text')
    expect((await text.innerText()).length).toBeLessThan(10_000)
    while ((await more.count()) > 0) {
      await more.click()
      await page.waitForTimeout(50)
    }
    await expect.poll(async () => (await text.innerText()).endsWith('the end')).toBe(true)
  })

  it('shows hostile content as text, in every view', async () => {
    const { page, visit } = await inspect({ sessions: [hostile] })
    for (const view of ['conversation', 'timeline', 'details']) {
      await visit(place(hostile.sessionId, { view }))
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.waitForTimeout(300)
      await openAll(page)
      await page.waitForTimeout(300)
      await openAll(page)
      await page.waitForTimeout(300)
      expect(await page.evaluate(() => 'hacked' in window)).toBe(false)
      expect(await page.locator('script, svg, iframe, object, embed, main img').count()).toBe(1)
      const links = await page.locator('a').evaluateAll(all => all.map(link => link.getAttribute('href')))
      expect(links.filter(link => link?.startsWith('#') !== true)).toEqual([])
      // oxlint-disable-next-line no-control-regex -- matches control characters on purpose
      expect(await page.evaluate(() => document.body.innerText)).not.toMatch(/[\u0000\u001B\u202A-\u202E\u2066-\u2069]/)
    }
    await visit(place(hostile.sessionId))
    const prompt = page.getByRole('group', { name: 'Prompt' })
    expect(await prompt.innerText()).toContain(hostileText.slice(0, 100))
    expect(await prompt.innerText()).toContain('<U+202E>gnp.exe')
  })

  it('of thousands of turns reads and draws those in view', async () => {
    const { page, visit, calls } = await inspect({ sessions: [longSession('long', 4000)] })
    await visit(place('long'))
    await page.locator('article').getByText('Question 0:').waitFor()
    const conversation = page.getByRole('region', { name: 'Conversation' })
    await conversation.evaluate(element => element.scrollTo(0, element.scrollHeight))
    await page.getByRole('article', { name: 'Turn 4000', exact: true }).waitFor()
    await page.locator('article').getByText('Question 3999:').waitFor()
    expect(await page.getByRole('article').count()).toBeLessThan(40)
    expect(calls.filter(call => call.startsWith('/api/turns')).length).toBeLessThan(10)
    // Up again in steps of a wheel: what is read on the way does not move what is seen.
    const seen = await conversation.evaluate(async element => {
      let worst = 0
      for (let step = 0; step < 40; step++) {
        element.scrollBy(0, -300)
        await new Promise(done => requestAnimationFrame(done))
        const article = [...element.querySelectorAll('article')].find(each => each.getBoundingClientRect().top > 300)
        const before = article?.getBoundingClientRect().top ?? 0
        await new Promise(done => setTimeout(done, 20))
        if (article?.isConnected === true)
          worst = Math.max(worst, Math.abs(article.getBoundingClientRect().top - before))
      }
      return worst
    })
    expect(seen).toBeLessThan(400)
  })

  it('of 5,000 tool calls in a turn reads and draws those in view', async () => {
    const { page, visit, calls } = await inspect({ sessions: [busySession('busy', 5000)] })
    const begun = Date.now()
    await visit(place('busy'))
    const box = page.getByRole('group', { name: 'Tool calls of turn 1' })
    await box.getByText('{"index":0}').waitFor()
    expect(Date.now() - begun).toBeLessThan(5000)
    await box.evaluate(element => element.scrollTo(0, element.scrollHeight))
    await box.getByText('{"index":4999}').waitFor()
    expect(await box.getByRole('listitem').count()).toBeLessThan(80)
    expect(calls.filter(call => call.startsWith('/api/calls')).length).toBeLessThan(6)
    await box.getByRole('button', { name: /"index":4999/ }).click()
    await page.getByText('Result 4999').waitFor()
  })
})

describe('the other views', () => {
  it('the timeline has a bar for each turn, to scale', async () => {
    const { page, visit } = await inspect({ sessions: [parcel] })
    await visit(place(parcel.sessionId, { view: 'timeline' }))
    await page.getByRole('link', { name: /Turn 3\W+error\W+41 s/ }).waitFor()
    const widths = async (): Promise<number[]> =>
      page.locator('.span-bar').evaluateAll(bars => bars.map(bar => bar.getBoundingClientRect().width))
    const track = await page
      .locator('.span-track')
      .first()
      .evaluate(element => element.clientWidth)
    const [, , third = 0, fourth = 0] = await widths()
    // Of 13 min 22 s.
    expect(third).toBeCloseTo((track * 41) / 802, -0.5)
    expect(fourth).toBeCloseTo((track * 22) / 802, -0.5)
    await page.getByLabel('Shorten quiet times').check()
    expect((await widths())[2]).toBeGreaterThan(third * 5)
    await page.getByRole('link', { name: /Turn 3\W+error\W+41 s/ }).click()
    await page.getByRole('article', { name: 'Turn 3' }).waitFor()
  })

  it('forks lead both ways', async () => {
    const { page, visit, store } = await inspect()
    await saveSamples(store)
    await visit(place(parcel.sessionId, { view: 'details' }))
    await page.locator('.tree').getByRole('link', { name: 'Parcel 4471, with a refund instead' }).click()
    await page.getByRole('heading', { level: 1, name: 'Parcel 4471, with a refund instead' }).waitFor()
    await page.locator('.tree').getByRole('link', { name: 'Parcel 4471 did not arrive' }).click()
    const title = page.getByRole('heading', { level: 1 })
    await expect.poll(() => title.innerText()).toBe('Parcel 4471 did not arrive')
  })

  it('exports a session as JSON and Markdown, and the list as JSON Lines', async () => {
    const { page, visit } = await inspect({ sessions: [parcel] })
    await visit(place(parcel.sessionId, { view: 'details' }))
    for (const [button, name] of [
      ['Save as JSON', `${parcel.sessionId}.json`],
      ['Save as Markdown', `${parcel.sessionId}.md`],
      ['Export the listed sessions as JSON Lines', 'sessions.jsonl'],
    ] as const) {
      const download = page.waitForEvent('download')
      await page.getByRole('button', { name: button }).click()
      const file = await download
      expect(file.suggestedFilename()).toBe(name)
      const chunks = await (await file.createReadStream()).toArray()
      expect(chunks.join('')).toContain('Shall I try again later?')
    }
    await page.getByRole('button', { name: 'JSON of the whole session' }).click()
    await page.getByText(`"session_id": "${parcel.sessionId}"`).waitFor()
  })
})
