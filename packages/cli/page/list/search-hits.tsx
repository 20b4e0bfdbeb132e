import { printableLine } from '@turnstore/core'
import type { HitAnswer } from '../../src/inspector/answers.ts'
import { ask } from '../data/api.ts'
import { filterParameters, linkTo, type Place } from '../data/place.ts'
import { Line, Problem } from '../widgets/small.tsx'
import { counted, longTime, shortTime } from '../widgets/times.ts'
import { Windowed } from '../widgets/windowed.tsx'
import { usePaged } from './use-paged.ts'

const fields: Readonly<Record<HitAnswer['field'], string>> = {
  prompt: 'prompt',
  responseContent: 'response',
  toolName: 'tool',
  arguments: 'arguments',
  result: 'result',
  error: 'error',
}

/** The turns that have the words, each a link to its place in the conversation. */
export function SearchHits({ place, version }: { readonly place: Place; readonly version: number }) {
  const { filters, text } = place
  const known = JSON.stringify([filters, text])
  const paged = usePaged(
    async (cursor, signal) => {
      const parameters = { ...filterParameters(filters), text, ...(cursor === '' ? {} : { cursor }) }
      const page = await ask('search', parameters, signal)
      return { items: page.hits, cursor: page.cursor }
    },
    [known, version],
  )
  const { items, isLoading, isWhole, problem } = paged
  const found = isWhole ? counted(items.length, 'turn') : isLoading ? 'Searching …' : counted(items.length, 'turn')
  return (
    <>
      <p class="visually-hidden" role="status">
        {isLoading ? 'Searching' : `${found} found`}
      </p>
      <Windowed
        key={known}
        class="sessions"
        label="Turns that match"
        role="list"
        count={items.length}
        guess={92}
        onEnd={paged.more}
        row={index => {
          const hit = items[index]
          return hit === undefined ? <></> : <Hit hit={hit} isCurrent={isHere(hit, place)} />
        }}
        after={
          <div class="list-end">
            {problem !== null && <Problem problem={problem} />}
            {isLoading && <p class="faint">Searching …</p>}
            {isWhole && items.length > 0 && <p class="faint">{found}</p>}
            {isWhole && items.length === 0 && <p class="empty">No turn has these words.</p>}
          </div>
        }
      />
    </>
  )
}

function isHere({ sessionId, turnId }: HitAnswer, { session, turn }: Place): boolean {
  return session === sessionId && turn === turnId
}

function Hit({ hit, isCurrent }: { readonly hit: HitAnswer; readonly isCurrent: boolean }) {
  const { sessionId, title, turnId, updatedAt, field } = hit
  return (
    <a
      class="session"
      href={linkTo({ session: sessionId, turn: turnId, view: 'conversation' })}
      aria-current={isCurrent ? 'page' : undefined}
    >
      <span class="session-top">
        <Line class={title === '' ? 'session-title mono' : 'session-title'} text={title || sessionId} />
        <time class="faint" dateTime={updatedAt} title={longTime(updatedAt)}>
          {shortTime(updatedAt)}
        </time>
      </span>
      <span class="snippet" dir="auto">
        {piecesOf(hit).map(({ text, isMatch }, index) =>
          isMatch ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>,
        )}
      </span>
      <span class="session-facts">
        <span>in {fields[field]}</span>
        <Line text={turnId} />
      </span>
    </a>
  )
}

/** The snippet cut at the ranges that match. */
export function piecesOf({
  snippet,
  ranges,
}: Pick<HitAnswer, 'snippet' | 'ranges'>): { text: string; isMatch: boolean }[] {
  const pieces: { text: string; isMatch: boolean }[] = []
  let place = 0
  for (const [start, end] of ranges) {
    pieces.push(
      { text: snippet.slice(place, start), isMatch: false },
      { text: snippet.slice(start, end), isMatch: true },
    )
    place = end
  }
  pieces.push({ text: snippet.slice(place), isMatch: false })
  // Spaces at a cut matter, so the line breaks are replaced in the whole first.
  return pieces.filter(({ text }) => text !== '').map(piece => ({ ...piece, text: inLine(piece.text) }))
}

function inLine(text: string): string {
  const [start = ''] = /^\s*/.exec(text) ?? []
  const [end = ''] = /\s*$/.exec(text) ?? []
  return `${start === '' ? '' : ' '}${printableLine(text.trim())}${end === '' || text.trim() === '' ? '' : ' '}`
}
