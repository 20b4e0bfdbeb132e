import { stripVTControlCharacters } from 'node:util'

const HEADING = /⎯ (Failed|Unhandled|Startup)/
const SHOWN_WITHOUT_HEADING = 40

/**
 * What the tests that failed said of it, out of what turbo prints of all packages at once: of each package that
 * failed the lines from vitest's heading of its failures on, or its last ones where it died without a heading.
 *
 * @param {string} output With a prefix before each line of a package, as `@turnstore/core:test: `.
 * @returns {string} Empty where no package failed.
 */
export function failuresOf(output) {
  const lines = output.split('\n')
  const plain = lines.map(line => stripVTControlCharacters(line))
  const failed = new Set(plain.flatMap(line => /^(\S+)#test: +ERROR /.exec(line)?.[1] ?? []))
  return [...failed]
    .flatMap(name => {
      const own = lines.filter((_, index) => plain[index]?.startsWith(`${name}:test:`))
      const heading = own.findIndex(line => HEADING.test(stripVTControlCharacters(line)))
      return own.slice(heading < 0 ? -SHOWN_WITHOUT_HEADING : heading)
    })
    .join('\n')
}
