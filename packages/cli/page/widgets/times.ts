const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const second = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const date = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })
const moment = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })

/** A moment on an axis: the time, or the day if the axis has days. */
export function axisTime(ms: number, isDays: boolean): string {
  if (Number.isNaN(ms)) return ''
  return isDays ? `${day.format(ms)} ${clock.format(ms)}` : second.format(ms)
}

/** Milliseconds, or NaN for a time that is unknown. */
export function msOf(time: string | null): number {
  return time === null || time === '' ? Number.NaN : Date.parse(time)
}

/** Today the time, this year the day, else the date. What cannot be read is shown as it is. */
export function shortTime(time: string): string {
  const ms = msOf(time)
  if (Number.isNaN(ms)) return time.slice(0, 24)
  const [then, now] = [new Date(ms), new Date()]
  if (then.toDateString() === now.toDateString()) return clock.format(then)
  return (then.getFullYear() === now.getFullYear() ? day : date).format(then)
}

export function longTime(time: string): string {
  const ms = msOf(time)
  return Number.isNaN(ms) ? time.slice(0, 40) : moment.format(ms)
}

/** `340 ms`, `1.2 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ] as const
  const first = units.findIndex(([size]) => ms >= size)
  const [[large, name], small] = [units[first] ?? units[3], units[first + 1]]
  const whole = `${Math.floor(ms / large)} ${name}`
  const rest = small === undefined ? 0 : Math.floor((ms % large) / small[0])
  return rest === 0 || small === undefined ? whole : `${whole} ${rest} ${small[1]}`
}

export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}
