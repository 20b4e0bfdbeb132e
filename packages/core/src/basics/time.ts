/**
 * Times are ISO 8601 strings as JavaScript's `Date` and Python's `isoformat` write them. They are stored
 * unchanged and ordered as instants, to the microsecond. A time without a zone is UTC.
 *
 * All parts up to the second have fixed positions, so only the fraction and the zone are captured.
 */
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d(?::\d\d)?)?$/

/**
 * Converts a time to fixed-width UTC text, `2024-05-15T15:02:00.123456Z`. Comparing these strings orders
 * the instants, in JavaScript and in a database index. An empty or invalid time gives `''`, which sorts
 * first.
 */
export function timeKey(time: string): string {
  const match = ISO.exec(time)
  if (match === null) return ''
  const [, fraction = '', zone = 'Z'] = match
  const clock = time[16] === ':' ? time.slice(0, 19) : `${time.slice(0, 16)}:00`
  if (!existsInCalendar(clock)) return ''
  const offset = offsetSeconds(zone)
  if (offset === null) return ''
  const micros = `${fraction}000000`.slice(0, 6)
  // Fast path: most times are in UTC, and a listing converts thousands of them.
  if (offset === 0) return `${clock}.${micros}Z`
  const text = new Date(Date.parse(`${clock}Z`) - offset * 1000).toISOString()
  if (text.length !== 24) return '' // outside the years 0000 to 9999
  return `${text.slice(0, 19)}.${micros}Z`
}

/** Whether the date and the time of day exist. Leap seconds do not, as in `Date`. */
function existsInCalendar(clock: string): boolean {
  const day = twoDigits(clock, 8)
  return (
    day >= 1 &&
    day <= daysInMonth(twoDigits(clock, 0) * 100 + twoDigits(clock, 2), twoDigits(clock, 5)) &&
    twoDigits(clock, 11) <= 23 &&
    twoDigits(clock, 14) <= 59 &&
    twoDigits(clock, 17) <= 59
  )
}

function twoDigits(text: string, at: number): number {
  return (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48
}

const daysOfMonths: readonly number[] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** 0 for an invalid month. */
function daysInMonth(year: number, month: number): number {
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month === 2 && isLeapYear ? 29 : (daysOfMonths[month - 1] ?? 0)
}

function offsetSeconds(zone: string): number | null {
  if (zone === 'Z') return 0
  const hours = twoDigits(zone, 1)
  const minutes = twoDigits(zone, 4)
  const seconds = zone.length > 6 ? twoDigits(zone, 7) : 0
  if (hours > 23 || minutes > 59 || seconds > 59) return null
  const offset = hours * 3600 + minutes * 60 + seconds
  return zone.startsWith('-') ? -offset : offset
}

/** Returns the later of two times unchanged, or the first if both are the same instant. */
export function laterTime(a: string, b: string): string {
  return a !== b && timeKey(b) > timeKey(a) ? b : a
}
