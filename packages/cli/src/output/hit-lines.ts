import { printableLine, type SearchHit } from '@turnstore/core'
import type { Paint } from '../terminal/colors.js'
import { widthOf } from './clipped.js'

const fields: Readonly<Record<SearchHit['field'], string>> = {
  prompt: '>',
  responseContent: '<',
  toolName: '* tool',
  arguments: '* arguments',
  result: '* result',
  error: '!',
}

/** A hit in two lines: where it is, and the text around it. `width`: of the terminal, if there is one. */
export function hitLines(hit: SearchHit, paint: Paint, width: number = Infinity): string[] {
  const { session, turnId } = hit
  const { title } = session.metadata
  const heading = [
    session.sessionId,
    turnId,
    session.updatedAt.replace(/\.\d+/, ''),
    typeof title === 'string' ? title : '',
  ]
  const line = heading
    .filter(text => text !== '')
    .map(printableLine)
    .join('  ')
  return [
    paint('bold', line),
    `   ${fields[hit.field]} ${snippetText(hit, paint, width - 4 - fields[hit.field].length)}`,
  ]
}

/** The snippet in one line. On a terminal, only what fits is shown, from just before the first word that was found. */
function snippetText({ snippet, ranges }: SearchHit, paint: Paint, width: number): string {
  const clusters = [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(snippet)].map(
    ({ index, segment }) => ({
      text: printableLine(/^\s+$/u.test(segment) ? ' ' : segment),
      isFound: ranges.some(([start, end]) => index >= start && index < end),
    }),
  )
  const first = clusters.findIndex(({ isFound }) => isFound)
  const from = widthOf(clusters.map(({ text }) => text).join('')) <= width ? 0 : Math.max(0, first - 20)
  let room = width
  let shown = ''
  let found = ''
  const mark = (): void => {
    if (found !== '') shown += paint(['yellow', 'bold'], found)
    found = ''
  }
  for (const { text, isFound } of clusters.slice(from)) {
    room -= widthOf(text)
    if (room < 0) break
    if (isFound) found += text
    else {
      mark()
      shown += text
    }
  }
  mark()
  return shown
}
