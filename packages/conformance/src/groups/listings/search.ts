import type { SearchQuery } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { holds, fails, same, show } from '../../checks/expect.js'
import { minute, saveAll } from '../../histories/listing.js'
import { type Found, foundIn, searchAll, sessionToSearch, wordOf } from '../../histories/search-oracle.js'
import { untyped } from '../../samples/methods.js'
import { seeded } from '../../samples/random.js'
import { appendOf, changeOf, indexes, sessionOf, toolCallOf, turnOf } from '../../samples/samples.js'

/** The same words find the same turns, in every script, in pages of any size, and in no other workspace. */
export const searchGroup: Group = { title: 'Search', define }

const parcel = sessionOf('s', {
  turns: [
    turnOf('t1', {
      prompt: 'Where is my Parcel?',
      responseContent: 'At the depot.',
      toolCalls: [
        toolCallOf('c1', { toolName: 'track', arguments: { number: 77, urgent: true, of: ['Łódź', { at: 'ΟΔΟΣ' }] } }),
        toolCallOf('c2', { toolName: 'mail', result: { text: 'It is the\ndepot in "Bern".' }, error: 'unheard' }),
      ],
      items: [{ itemId: 'i', format: 'chat', value: 'unheard' }],
      metadata: { unheard: 'unheard' },
      error: 'The carrier was closed',
    }),
    turnOf('t2', {
      prompt: 'Thank you',
      responseContent: null,
      items: [{ itemId: 'i', format: 'chat', value: 'unheard' }],
    }),
  ],
})

/** What to search for, and the field of the hit in t1; null if it has none. */
const searches: readonly (readonly [text: string, field: Found['field'] | null])[] = [
  ['parcel', 'prompt'],
  ['PARCEL where', 'prompt'],
  ['"my parcel"', 'prompt'],
  ['"parcel my"', null],
  ['depot', 'responseContent'],
  ['track', 'toolName'],
  ['mail parcel', 'toolName'],
  ['77', 'arguments'],
  ['true', 'arguments'],
  ['łódź', 'arguments'],
  ['οδος', 'arguments'],
  ['bern', 'result'],
  ['"depot in"', 'result'],
  ['"the\ndepot"', 'result'],
  ['carrier', 'error'],
  ['closed parcel track 77 bern', 'error'],
  // What is searched is a value alone: no key, no serialized text, no phrase over two values.
  ['number', null],
  ['{', null],
  ['null', null],
  ['"77 true"', null],
  ['unheard', null],
  ['parcel thank', null],
]

function define(cases: Cases): void {
  const { it } = cases
  it(
    'search',
    'finds a turn by words in its texts, and shows the first of its fields that has the first',
    async ({ store }) => {
      await store.saveSession(parcel)
      for (const [text, field] of searches) {
        const expected = field === null ? [] : [{ sessionId: 's', turnId: 't1', field }]
        same(await searchAll(store, { text }, [parcel]), expected, `the search ${show(text)}`)
      }
      const [hit] = (await store.searchSessions({ text: 'thank' })).hits
      same(hit?.session, await store.loadSummary('s'), 'the session of a hit')
      same([hit?.turnId, hit?.snippet, hit?.ranges], ['t2', 'Thank you', [[0, 5]]], 'a hit')
    },
  )

  it('search', 'finds the same in every script and spelling, page by page', async ({ store }) => {
    await seeded(cases, async random => {
      const sessions = indexes(cases.thorough ? 2000 : 20).map(index => sessionToSearch(random, index))
      await saveAll(store, sessions)
      for (const _round of indexes(24)) {
        const terms = indexes(1 + random.below(2)).map(() => wordOf(random).replaceAll('"', ' '))
        if (terms.some(term => term.trim() === '')) continue
        const text = terms.map(term => `"${term}"`).join(' ')
        const query = { text, limit: 1 + random.below(cases.thorough ? 200 : 9) }
        same(await searchAll(store, query, sessions), foundIn(sessions, terms), `the search ${show(query)}`)
      }
    })
  })

  it('search', 'finds turns that were recorded step by step, in turns with many calls', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    await store.changeSession('s', appendOf('t1', { prompt: 'count the boxes', status: 'running' }))
    for (const at of indexes(12)) {
      const putToolCalls = indexes(30).map(index =>
        toolCallOf(`c${at}-${index}`, { result: `box ${at} ${index} ${'…'.repeat(400)}` }),
      )
      await store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't1', putToolCalls }] }))
    }
    await store.changeSession(
      's',
      changeOf({ updateTurns: [{ turnId: 't1', set: { responseContent: 'all counted' } }] }),
    )
    await store.changeSession('s', appendOf('t2', { prompt: 'thanks' }))
    const session = await store.loadSession('s')
    const sessions = session === null ? [] : [session]
    for (const [text, terms] of [
      ['"box 11 29"', ['box 11 29']],
      ['"box 0 0" "box 11 29"', ['box 0 0', 'box 11 29']],
      ['counted "box 11 29"', ['counted', 'box 11 29']],
      ['"box 12"', ['box 12']],
      ['thanks', ['thanks']],
    ] as const) {
      same(await searchAll(store, { text }, sessions), foundIn(sessions, terms), `the search ${show(text)}`)
    }
  })

  it('search', 'ends, and gives each session once at most, while sessions are changed', async ({ store }) => {
    const sessions = indexes(40).map(index =>
      sessionOf(`s${index}`, { updatedAt: minute(index), turns: [turnOf('t1', { prompt: 'parcel' })] }),
    )
    await saveAll(store, sessions)
    const seen: string[] = []
    let cursor: string | null = null
    let next = 0
    do {
      const query: SearchQuery = cursor === null ? { text: 'parcel', limit: 3 } : { text: 'parcel', limit: 3, cursor }
      const page = await store.searchSessions(query)
      seen.push(...page.hits.map(({ session }) => session.sessionId))
      cursor = page.cursor
      // One that was given, and one that is still to come.
      for (const id of [seen.at(-1), `s${next++}`]) {
        if (id !== undefined)
          await store.changeSession(id, changeOf({ setMetadata: { at: next }, updatedAt: minute(100 + next) }))
      }
      await store.saveSession(
        sessionOf(`new${next}`, { updatedAt: minute(200 + next), turns: [turnOf('t1', { prompt: 'parcel' })] }),
      )
    } while (cursor !== null && next < 100)
    same(cursor, null, 'the cursor of the last page')
    same(seen.length, new Set(seen).size, 'the number of different sessions among those that were found')
    const still = sessions.map(({ sessionId }) => sessionId).slice(next)
    same(
      still.filter(id => !seen.includes(id)),
      [],
      'sessions that nobody has changed, and that were not found',
    )
  })

  it('search', 'continues in a session that has grown meanwhile', async ({ store }) => {
    const turns = indexes(5).map(index => turnOf(`t${index}`, { prompt: 'parcel' }))
    await store.saveSession(sessionOf('s', { turns }))
    const first = await store.searchSessions({ text: 'parcel', limit: 2 })
    await store.changeSession('s', appendOf('t5', { prompt: 'parcel' }))
    const { hits } = await store.searchSessions({ text: 'parcel', cursor: first.cursor ?? '' })
    same(
      [...first.hits, ...hits].map(({ turnId }) => turnId),
      ['t0', 't1', 't2', 't3', 't4', 't5'],
      'the turns of both pages',
    )
  })

  it('scope', 'searches the workspace of the query, and takes its other filters', async ({ store }) => {
    for (const [index, workspaceId] of [null, 'w', 'W'].entries()) {
      for (const agentId of ['a', null]) {
        const turns = [turnOf('t1', { prompt: 'parcel' })]
        await store.saveSession(sessionOf(`${index}${agentId}`, { workspaceId, agentId, metadata: { agentId }, turns }))
      }
    }
    const found = async (query: object): Promise<string[]> =>
      (await store.searchSessions({ text: 'parcel', ...query })).hits.map(({ session }) => session.sessionId).toSorted()
    same(await found({}), ['0a', '0null', '1a', '1null', '2a', '2null'], 'without a workspace')
    same(await found({ workspaceId: 'w' }), ['1a', '1null'], 'in workspace w')
    same(await found({ workspaceId: null }), ['0a', '0null'], 'of sessions without a workspace')
    same(await found({ workspaceId: 'none' }), [], 'in a workspace without sessions')
    same(await found({ workspaceId: 'W', agentId: 'a' }), ['2a'], 'of an agent')
    same(await found({ metadata: { agentId: null } }), ['0null', '1null', '2null'], 'with a metadata value')
    const { cursor } = await store.searchSessions({ text: 'parcel', workspaceId: 'w', limit: 1 })
    for (const query of [
      { text: 'parcel' },
      { text: 'other', workspaceId: 'w' },
      { text: 'parcel', workspaceId: 'W' },
    ]) {
      const call = () => store.searchSessions({ ...query, cursor: cursor ?? '' })
      await fails(call, 'INVALID_ARGUMENT', `the cursor of another query, in ${show(query)}`)
    }
  })

  it('search', 'refuses a text without a word, and quotes none in its errors', async ({ store }) => {
    for (const query of [
      {},
      { text: '' },
      { text: ' ' },
      { text: '""' },
      { text: 7 },
      { text: 'canary-7f3a', orderBy: 'createdAt' },
      { text: 'canary-7f3a', limit: 0 },
      { text: 'canary-7f3a', cursor: 'canary-7f3a' },
      {
        text: indexes(40)
          .map(index => `canary-7f3a${index}`)
          .join(' '),
      },
      { text: 'canary-7f3a'.repeat(1000) },
    ]) {
      const error = await fails(() => store.searchSessions(untyped(query)), 'INVALID_ARGUMENT', 'a wrong search')
      holds(!error.message.includes('canary'), 'an error quotes no word')
    }
  })
}
