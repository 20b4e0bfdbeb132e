import stringWidth from 'string-width'

/** Without a terminal. */
const WIDTH = 80

/** Wraps the paragraphs and the lists of a help to the terminal. Lines of examples stay whole, so that they can be copied. */
export function fitHelp(text: string, width: number = WIDTH): string {
  const blocks: string[] = []
  for (const line of text.split('\n')) {
    const last = blocks.at(-1)
    const isContinued = /^\S/.test(line) && last !== undefined && /^\S/.test(last) && !last.endsWith(':')
    if (isContinued) blocks[blocks.length - 1] = `${last} ${line}`
    else blocks.push(line)
  }
  return blocks.flatMap(block => wrapped(block, width)).join('\n')
}

function wrapped(block: string, width: number): string[] {
  if (stringWidth(block) <= width || /^\s+\$ /.test(block)) return [block]
  const [start = ''] = /^\s*(?:- )?/.exec(block) ?? []
  // Aligned by the help itself.
  if (start.length > 4) return [block]
  const lines: string[] = []
  let line = start
  for (const word of block.slice(start.length).split(' ')) {
    const isFirst = line.trim() === '' || line === start
    if (!isFirst && stringWidth(line) + 1 + stringWidth(word) > width) {
      lines.push(line)
      line = ' '.repeat(start.length) + word
    } else {
      line += isFirst ? word : ` ${word}`
    }
  }
  return [...lines, line]
}
