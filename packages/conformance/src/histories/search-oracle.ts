import type {
  JsonValue,
  SearchField,
  SearchPage,
  SearchQuery,
  SessionRecord,
  SessionStore,
  TurnRecord,
} from '@turnstore/core'
import { fail, holds } from '../checks/expect.js'
import type { Random } from '../samples/random.js'
import { sessionOf, toolCallOf, turnOf } from '../samples/samples.js'
import { minute } from './listing.js'

/* What a search finds, written as simply as it can be said, and sessions in many scripts to search. */

/** A hit without its snippet. */
export interface Found {
  readonly sessionId: string
  readonly turnId: string
  readonly field: SearchField
}

/** NFKC, then lower case code point by code point, and one sigma. */
export function folded(text: string): string {
  return Array.from(text.normalize('NFKC'), point => (point === 'ς' ? 'σ' : point.toLowerCase())).join('')
}

/** The turns that have all terms, the latest sessions first. */
export function foundIn(sessions: readonly SessionRecord[], terms: readonly string[]): Found[] {
  const [first = ''] = terms
  const latest = sessions.toSorted((a, b) => (a.updatedAt > b.updatedAt ? -1 : 1))
  return latest.flatMap(({ sessionId, turns }) =>
    turns.flatMap(turn => {
      const texts = textsOf(turn).map(([field, text]) => [field, folded(text)] as const)
      const isFound = terms.every(term => texts.some(([, text]) => text.includes(folded(term))))
      const field = texts.find(([, text]) => text.includes(folded(first)))?.[0]
      return isFound && field !== undefined ? [{ sessionId, turnId: turn.turnId, field }] : []
    }),
  )
}

/** The texts of a turn that are searched, in the order in which a hit shows them. */
export function textsOf({ prompt, responseContent, toolCalls, error }: TurnRecord): [SearchField, string][] {
  return [
    ['prompt', prompt],
    ['responseContent', responseContent ?? ''],
    ...toolCalls.map(({ toolName }): [SearchField, string] => ['toolName', toolName]),
    ...toolCalls.flatMap(call => [
      ...valuesIn(call.arguments).map((text): [SearchField, string] => ['arguments', text]),
      ...valuesIn(call.result).map((text): [SearchField, string] => ['result', text]),
    ]),
    ['error', error ?? ''],
  ]
}

function valuesIn(value: JsonValue): string[] {
  if (value === null) return []
  return typeof value === 'object' ? Object.values(value).flatMap(valuesIn) : [String(value)]
}

/** The hits of all pages. Each must show what it has found. */
export async function searchAll(
  store: SessionStore,
  query: SearchQuery,
  sessions: readonly SessionRecord[],
): Promise<Found[]> {
  const found: Found[] = []
  for (let page: SearchPage | null = null, pages = 0; page === null || page.cursor !== null; pages++) {
    if (pages > 10_000) fail('a search has not ended after 10,000 pages')
    const cursor: string | null = page?.cursor ?? null
    page = await store.searchSessions(cursor === null ? query : { ...query, cursor })
    holds(page.hits.length <= (query.limit ?? 50), 'a page has no more hits than its limit')
    for (const { session, turnId, field, snippet, ranges } of page.hits) {
      const { sessionId } = session
      const turn = sessions.find(each => each.sessionId === sessionId)?.turns.find(each => each.turnId === turnId)
      const sources = turn === undefined ? [] : textsOf(turn).filter(each => each[0] === field)
      holds(
        sources.some(([, text]) => text.includes(snippet)),
        'a snippet is a part of the text, as it is stored',
      )
      checkRanges(snippet, ranges)
      found.push({ sessionId, turnId, field })
    }
  }
  return found
}

function checkRanges(snippet: string, ranges: readonly (readonly [number, number])[]): void {
  const clusters = [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(snippet)]
  const edges = new Set([...clusters.map(({ index }) => index), snippet.length])
  let before = -1
  for (const [start, end] of ranges) {
    holds(start > before && start < end, 'ranges ascend and are not empty')
    holds(edges.has(start) && edges.has(end), 'a range consists of whole clusters')
    before = end
  }
  holds(ranges.length > 0, 'a snippet has a range')
}

const words = [
  ...'parcel Parcel STRASSE straße ẞ naïve cafe\u0301 caf\u00e9 ﬁne fine ½ 2⁵ Ⅷ ǅ true 7 1e21 back\\slash "quoted"'.split(
    ' ',
  ),
  ...'ΟΔΟΣ οδός σοφός İstanbul ıtır नमस्ते שלום سلام شُكْرًا สวัสดี привет ПРИВЕТ'.split(' '),
  ...'荷物 追跡番号 ｶﾞｷﾞ ガギ 한국어 한 ㄱㅏ 가 👨‍👩‍👧 🇩🇪🇫🇷 👍🏽 👍 \u0301 a\u0327\u0301 q\u0307\u0323 \ud800'.split(' '),
  'line\nbreak',
  '\u001b[31m',
]

const plain = ['the', 'depot', 'of', 'x']

/** A word, and more often than not one that others have too. */
export function wordOf(random: Random): string {
  return words[random.below(words.length)] ?? ''
}

function textOf(random: Random): string {
  const count = random.below(5)
  return Array.from({ length: count }, () =>
    random.below(2) === 0 ? wordOf(random) : (plain[random.below(plain.length)] ?? ''),
  ).join(random.below(4) === 0 ? '' : ' ')
}

function valueOf(random: Random, depth = 0): JsonValue {
  const kind = random.below(depth > 2 ? 5 : 7)
  if (kind === 0) return random.below(2) === 0
  if (kind === 1) return [7, -0, 1.5, 1e21, 12345][random.below(5)] ?? 0
  if (kind === 2) return null
  if (kind < 5) return textOf(random)
  const values = Array.from({ length: random.below(3) }, () => valueOf(random, depth + 1))
  return kind === 5 ? values : Object.fromEntries(values.map((value, index) => [`parcel${index}`, value]))
}

/** A session whose texts have words in many scripts, also where no search looks. */
export function sessionToSearch(random: Random, index: number): SessionRecord {
  const turns = Array.from({ length: random.below(4) }, (_, at) =>
    turnOf(`t${at}`, {
      prompt: textOf(random),
      responseContent: random.below(3) === 0 ? null : textOf(random),
      error: random.below(4) === 0 ? textOf(random) : null,
      toolCalls: Array.from({ length: random.below(3) }, (_, call) =>
        toolCallOf(`c${call}`, {
          toolName: textOf(random) || 'tool',
          arguments: { parcel: valueOf(random) },
          result: valueOf(random),
          error: textOf(random) || null,
        }),
      ),
      items: [{ itemId: 'i', format: 'parcel', value: textOf(random) }],
      metadata: { parcel: textOf(random) },
    }),
  )
  return sessionOf(`s${index}`, { updatedAt: minute(index), createdAt: minute(index), turns })
}
