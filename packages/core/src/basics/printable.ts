/** Line breaks and tabs may stay; the rest moves cursors, sets colours and titles, or turns the writing direction. */
// oxlint-disable-next-line no-control-regex -- finding control characters is its whole purpose
const UNPRINTABLE = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g

/**
 * Text from a session as it may be printed on a terminal or put into a document: control characters
 * stand there as pictures (␛) or codes (<U+009B>) and do nothing. Lines end with `\n`.
 */
export function printable(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNPRINTABLE, character => {
    const code = character.charCodeAt(0)
    if (code < 0x20) return String.fromCharCode(0x2400 + code)
    return code === 0x7f ? '␡' : `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`
  })
}

/** The same on one line. */
export function printableLine(text: string): string {
  return printable(text)
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('\t', ' ')
}
