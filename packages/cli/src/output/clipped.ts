import stringWidth from 'string-width'

/** In columns of a terminal. */
export function widthOf(text: string): number {
  return stringWidth(text)
}

/** The beginning of a text that fits so many columns, with an ellipsis if something is missing. */
export function clipped(text: string, columns: number): string {
  // No character takes less than a column, except those that join the one before.
  if (text.length <= columns && widthOf(text) <= columns) return text
  let kept = ''
  let width = 0
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    width += widthOf(segment)
    if (width > columns - 1) break
    kept += segment
  }
  return `${kept.trimEnd()}…`
}

export function padded(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)))
}
