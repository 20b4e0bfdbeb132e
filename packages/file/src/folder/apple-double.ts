import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

const MAGIC = Buffer.from([0x00, 0x05, 0x16, 0x07])

/**
 * Whether a file holds what macOS notes beside another one, where the file system has no place for it: `._chat-1.json`
 * beside `chat-1.json` (https://datatracker.ietf.org/doc/html/rfc1740). The reference may give a session such a name.
 */
export function isAppleDouble(folder: string, name: string): boolean {
  if (!name.startsWith('._')) return false
  const start = Buffer.alloc(MAGIC.length)
  try {
    const file = openSync(join(folder, name), 'r')
    try {
      readSync(file, start)
    } finally {
      closeSync(file)
    }
  } catch {
    return false
  }
  return start.equals(MAGIC)
}
