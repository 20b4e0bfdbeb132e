import { createHash } from 'node:crypto'

export interface NameOptions {
  /** Whether the file system takes names for one that differ in case or in Unicode normalisation (see `probeFolding`). */
  readonly foldsCase: boolean
  /** A session's name is used with `.json` behind it, a workspace's as it is. */
  readonly kind: 'session' | 'workspace'
}

/**
 * A longer name is replaced by a hash. File systems hold 255 bytes; what is left is for `.json`, for the suffixes of
 * the files beside a document, and for a leading dot. No id of 200 bytes that needs no escape is longer than this.
 */
export const maxNameBytes = 220

/** What some file system does not hold, or takes for something else: separators, streams, wildcards, control characters. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const unsafe = /[/\\:*?"<>|%\u0000-\u001f\u007f-\u009f]/u

/** What a folding file system may take for another name; `~` stands in the short names that Windows makes up. */
const foldable = /[A-Z~\u0080-\u{10ffff}]/u

/**
 * How a workspace's folder must not end: the reference takes every *.json in the base for a session, a folder too, and
 * the others are what stands beside a session's document.
 */
const takenEndings = /\.(?:json|journal|rotated)$/i

/** Needs no escape anywhere, unless it is a device. Nearly all ids are such, and listing looks at thousands. */
const plain = /^[a-z0-9_-]{1,200}$/

/** Names of Windows' devices, with any extension and with blanks before it. `CONIN$` and `CONOUT$` are devices too. */
const device = /^(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\.|$)/i

/**
 * The name of the session's file, without `.json`, or of the workspace's folder. Different ids have different names,
 * on a folding base even under folding; a name is one path component, never starts with a dot and never ends with a dot
 * or a blank. A plain id is its own name, as the reference has it. Everything else is escaped as `%XX` for each of its
 * UTF-8 bytes, and what is too long becomes `%h` and a hash, which no escaped name can start with.
 *
 * The id must be well-formed: lone surrogates have no UTF-8 and would collide.
 */
export function encodeName(id: string, options: NameOptions): string {
  const isDevice = device.test(id)
  if (plain.test(id) && !isDevice) return id
  const characters = Array.from(id)
  const last = characters.length - 1
  const taken = options.kind === 'workspace' ? takenEndings.exec(id)?.[0].length : undefined
  const extension = taken === undefined ? -1 : characters.length - taken
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

/** What a name is that would be too long, or that is taken. */
export function hashedName(id: string): string {
  return `%h${createHash('sha256').update(id).digest('hex')}`
}

/**
 * The id whose name this is, null where no id has it: a hash, or a name that the reference wrote as it came, such as
 * `a:b`. Expects a session's name without `.json`. Does not say that the id is valid, only that its name is this one.
 */
export function decodeName(name: string, options: NameOptions): string | null {
  if (name === '') return null
  let id: string
  try {
    id = decodeURIComponent(name)
  } catch {
    return null
  }
  return encodeName(id, options) === name ? id : null
}

/**
 * The name under which the reference has the id on a POSIX file system, namely the id itself; null where that would be
 * no single path component or is too long. On a folding file system another id's document may stand at that name.
 */
export function verbatimName(id: string): string | null {
  const fits = Buffer.byteLength(`${id}.json`) <= 255
  return fits && id !== '' && id !== '.' && id !== '..' && !/[/\0]/.test(id) ? id : null
}

function percent(text: string): string {
  return Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}
