/**
 * Times are ISO 8601 strings, kept as they came: what JavaScript's `Date` and Python's `isoformat`
 * write. They are ordered as instants, to the microsecond; one without a zone is UTC.
 */
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d(?::\d\d)?)?$/

/**
 * The instant of a time as text of one width, `2024-05-15T15:02:00.123456Z`, so that instants are
 * ordered by comparing strings, in JavaScript as in an index of a database. An empty or unreadable
 * time gives `''`, which sorts first.
 */
export function timeKey(time: string): string {
  const match = ISO.exec(time)
  if (match === null) return ''
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone = 'Z'] = match
  const milliseconds = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  // Date.parse takes hour 24, and some engines February 30; neither writer that we know does.
  if (Number.isNaN(milliseconds) || new Date(milliseconds).getUTCDate() !== Number(day)) return ''
  const offset = offsetSeconds(zone)
  if (offset === null) return ''
  const micros = fraction.slice(0, 6).padEnd(6, '0')
  // Most times are in UTC, and a listing looks at thousands.
  if (offset === 0) return `${year}-${month}-${day}T${hour}:${minute}:${second}.${micros}Z`
  const instant = new Date(milliseconds - offset * 1000)
  const text = instant.toISOString()
  if (text.length !== 24) return '' // shifted out of the years 0000 to 9999
  return `${text.slice(0, 19)}.${micros}Z`
}

function offsetSeconds(zone: string): number | null {
  if (zone === 'Z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(4, 6))
  const seconds = zone.length > 6 ? Number(zone.slice(7, 9)) : 0
  if (hours > 23 || minutes > 59 || seconds > 59) return null
  const offset = hours * 3600 + minutes * 60 + seconds
  return zone.startsWith('-') ? -offset : offset
}

/** The later of two times, as it was written; the first where both are the same instant. */
export function laterTime(a: string, b: string): string {
  return timeKey(b) > timeKey(a) ? b : a
}
