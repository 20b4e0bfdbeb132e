import { readFile } from 'node:fs/promises'

/** Beside `dist/inspector` and `src/inspector` alike. */
const folder = new URL('../../dist/inspector-page/', import.meta.url)

const files: ReadonlyMap<string, readonly [name: string, type: string]> = new Map([
  ['/', ['index.html', 'text/html; charset=utf-8']],
  ['/page.js', ['page.js', 'text/javascript; charset=utf-8']],
  ['/page.css', ['page.css', 'text/css; charset=utf-8']],
])

export interface StaticFile {
  readonly type: string
  readonly bytes: Buffer
}

/** A file of the page, or null. The paths are a list: none is ever made from a request. */
export async function staticFile(path: string): Promise<StaticFile | null> {
  const found = files.get(path)
  if (found === undefined) return null
  const [name, type] = found
  return { type, bytes: await readFile(new URL(name, folder)) }
}
