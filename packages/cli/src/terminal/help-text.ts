import { wrap } from './wrap.js'

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
  return blocks.flatMap(block => fitted(block, width)).join('\n')
}

function fitted(block: string, width: number): string[] {
  const [start = ''] = /^\s*(?:- )?/.exec(block) ?? []
  const isExample = /^\s+\$ /.test(block)
  // The help itself has aligned and wrapped what is further in.
  return isExample || start.length > 4 ? [block] : wrap(block, width, start.length)
}
