import stringWidth from 'string-width'

/** Breaks a line between words. The lines after the first are indented by `hanging` columns. */
export function wrap(text: string, width: number, hanging: number): string[] {
  if (stringWidth(text) <= width) return [text]
  const lines: string[] = []
  const [start = ''] = /^\s*/.exec(text) ?? []
  let line = start
  let isEmpty = true
  for (const word of text.slice(start.length).split(' ')) {
    if (!isEmpty && stringWidth(line) + 1 + stringWidth(word) > width) {
      lines.push(line)
      line = ' '.repeat(hanging)
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}
