import { createHash } from 'node:crypto'

export interface NameOptions {
  /** Whether the file system ignores differences in case or Unicode normalisation (see `probeFolding`). */
  readonly foldsCase: boolean
  /** A session's name is followed by `.json`, a workspace's by nothing. */
  readonly kind: 'session' | 'workspace'
}

/**
 * A longer name is replaced by a hash. File systems allow 255 bytes; the rest is for the suffixes and a leading
 * dot. An id that needs no escape is never longer, since ids have at most 200 bytes.
 */
export const maxNameBytes = 220

/** Not allowed, or special, on some file system: separators, streams, wildcards, control characters. */
// oxlint-disable-next-line no-control-regex -- they are the point
const unsafe = /[/\\:*?"<>|%\u0000-\u001f\u007f-\u009f]/u

/** What a case-folding file system may map to another name. Windows uses `~` in its short names. */
const foldable = /[A-Z~\u0080-\u{10ffff}]/u

/**
 * A workspace's folder must not end like this: the reference reads every *.json in the base as a session, even a
 * folder, and the others are suffixes of a session's files.
 */
const reservedEndings = /\.(?:json|journal|rotated)$/i

/** Needs no escape anywhere, unless it is a device. A fast path: nearly all ids match, and a listing has thousands. */
const plain = /^[a-z0-9_-]+$/

/** Device names of Windows, with any extension and with spaces before it. `CONIN$` and `CONOUT$` are devices too. */
const device = /^(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\.|$)/i

/**
 * The name of a session's file, without `.json`, or of a workspace's folder. Different ids have different names,
 * also under case folding where `foldsCase` is set. A name is one path component, does not start with a dot and
 * does not end with a dot or a space. A plain id is its own name, as in the reference. Other characters become
 * `%XX` for each UTF-8 byte. A name that is too long becomes `%h` and a hash, which no escaped name starts with.
 *
 * The id must be well-formed: lone surrogates have no UTF-8 form and would collide.
 */
export function encodeName(id: string, options: NameOptions): string {
  const isDevice = device.test(id)
  if (plain.test(id) && !isDevice) return id
  const characters = Array.from(id)
  const last = characters.length - 1
  const reserved = options.kind === 'workspace' ? reservedEndings.exec(id)?.[0].length : undefined
  const extension = reserved === undefined ? -1 : characters.length - reserved
  const name = characters
    .map((character, at) => {
      const escaped =
        unsafe.test(character) ||
        (options.foldsCase && foldable.test(character)) ||
        (at === 0 && (isDevice || character === '.')) ||
        (at === last && (character === '.' || character === ' ')) ||
        at === extension
      return escaped ? percent(character) : character
    })
    .join('')
  return Buffer.byteLength(name) > maxNameBytes ? hashedName(id) : name
}

/** The name of an id whose escaped name is too long or already used. */
export function hashedName(id: string): string {
  return `%h${createHash('sha256').update(id).digest('hex')}`
}

/**
 * The id with this name, or null if there is none: for a hash, or a name that the reference wrote unescaped, such
 * as `a:b`. Expects a session's name without `.json`. The id is not checked for validity.
 */
export function decodeName(name: string, options: NameOptions): string | null {
  if (name === '') return null
  if (plain.test(name) && !device.test(name)) return name
  let id: string
  try {
    id = decodeURIComponent(name)
  } catch {
    return null
  }
  return encodeName(id, options) === name ? id : null
}

/**
 * The name that the reference uses for the id on a POSIX file system: the id itself. Null if it is not a single
 * path component or is too long. On a case-folding file system it may name the document of another id.
 */
export function verbatimName(id: string): string | null {
  const fits = Buffer.byteLength(`${id}.json`) <= 255
  return fits && id !== '' && id !== '.' && id !== '..' && !/[/\0]/.test(id) ? id : null
}

function percent(text: string): string {
  return Array.from(Buffer.from(text), byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}
