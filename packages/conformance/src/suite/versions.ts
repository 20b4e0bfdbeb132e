import { readFileSync } from 'node:fs'

/** The version of this package. */
export function version(): string {
  const source: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof source === 'object' && source !== null && 'version' in source ? String(source.version) : '?'
}

/** The runtime and its version. Bun and Deno also report a Node version. */
export function runtime(): string {
  const { bun, deno, node } = process.versions
  if (bun !== undefined) return `Bun ${bun}`
  return deno === undefined ? `Node ${node}` : `Deno ${deno}`
}
