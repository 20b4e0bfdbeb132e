import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { laterTime, timeKey } from '../../src/basics/time.ts'

describe('the key of a time', () => {
  it.each([
    ['2024-05-15T15:02', '2024-05-15T15:02:00.000000Z'],
    ['2024-05-15T15:02:03', '2024-05-15T15:02:03.000000Z'],
    ['2024-05-15T15:02:03Z', '2024-05-15T15:02:03.000000Z'],
    ['2024-05-15T15:02:03.1', '2024-05-15T15:02:03.100000Z'],
    ['2024-05-15T15:02:03.123456+00:00', '2024-05-15T15:02:03.123456Z'],
    ['2024-05-15T15:02:03.123456789Z', '2024-05-15T15:02:03.123456Z'],
    ['2024-05-15T15:02:03.000001-05:30', '2024-05-15T20:32:03.000001Z'],
    ['2024-01-01T00:30:00+01:00', '2023-12-31T23:30:00.000000Z'],
    ['2024-05-15T15:02:03+00:00:30', '2024-05-15T15:01:33.000000Z'],
    ['2024-02-29T00:00', '2024-02-29T00:00:00.000000Z'],
    ['2000-02-29T00:00', '2000-02-29T00:00:00.000000Z'],
    ['0000-01-01T00:00', '0000-01-01T00:00:00.000000Z'],
    ['0000-02-29T00:00', '0000-02-29T00:00:00.000000Z'],
    ['9999-12-31T23:59:59.999999', '9999-12-31T23:59:59.999999Z'],
    ['2024-05-15T15:02-00:00:00', '2024-05-15T15:02:00.000000Z'],
    ['1969-12-31T23:59:59.9Z', '1969-12-31T23:59:59.900000Z'],
  ])('of %s is %s', (time, key) => {
    expect(timeKey(time)).toBe(key)
  })

  it.each([
    '',
    ' ',
    'now',
    '2024',
    '2024-05-15',
    '2024-05-15 15:02',
    '2024-05-15T15',
    '2024-05-15T24:00',
    '2024-05-15T15:60',
    '2024-05-15T15:02:60',
    '2023-02-29T00:00',
    '1900-02-29T00:00',
    '2024-02-30T00:00',
    '2023-02-29T00:00+01:00',
    '2024-04-31T00:00',
    '2024-05-00T00:00',
    '2024-05-32T00:00',
    '2024-05-15T24:00+01:00',
    '2024-13-01T00:00',
    '2024-00-01T00:00',
    '2024-05-15T15:02:03.',
    '2024-05-15T15:02:03.1234567890',
    '2024-05-15T15:02.5',
    '2024-05-15T15:02z',
    '2024-05-15T15:02+0530',
    '2024-05-15T15:02+05',
    '2024-05-15T15:02+24:00',
    '2024-05-15T15:02+01:60',
    '0000-01-01T00:00+01:00',
    '9999-12-31T23:59-01:00',
    '+012024-05-15T15:02',
    '2024-05-15T15:02\n',
    '٢٠٢٤-05-15T15:02',
  ])('of %j is empty, which sorts first', time => {
    expect(timeKey(time)).toBe('')
  })

  it('exists for valid dates only', () => {
    for (const year of [0, 4, 99, 100, 400, 1899, 1900, 1970, 2000, 2023, 2024, 2100, 9999]) {
      for (let month = 0; month <= 13; month++) {
        for (let day = 0; day <= 32; day++) {
          const date = `${String(year).padStart(4, '0')}-${pair(month)}-${pair(day)}`
          const noon = new Date(`${date}T12:00:00Z`)
          const exists = !Number.isNaN(noon.getTime()) && noon.getUTCDate() === day
          expect(timeKey(`${date}T12:00`)).toBe(exists ? `${date}T12:00:00.000000Z` : '')
        }
      }
    }
  })

  it('orders instants by comparing text, for any offsets', () => {
    const instant = fc.record({
      milliseconds: fc.integer({ min: -6e13, max: 2.5e14 }),
      minutes: fc.integer({ min: -1439, max: 1439 }),
    })
    fc.assert(
      fc.property(instant, instant, (a, b) => {
        const [left, right] = [timeKey(write(a)), timeKey(write(b))]
        expect(Math.sign(left < right ? -1 : left > right ? 1 : 0)).toBe(Math.sign(a.milliseconds - b.milliseconds))
      }),
    )
  })
})

it('laterTime returns the later time unchanged, or the first if both are equal', () => {
  expect(laterTime('2024-05-15T15:02Z', '2024-05-15T15:02:00.000001')).toBe('2024-05-15T15:02:00.000001')
  expect(laterTime('2024-05-15T15:02Z', '2024-05-15T16:00+01:00')).toBe('2024-05-15T15:02Z')
  expect(laterTime('2024-05-15T15:02Z', '2024-05-15T17:02+02:00')).toBe('2024-05-15T15:02Z')
  expect(laterTime('2024-05-15T15:02Z', 'later')).toBe('2024-05-15T15:02Z')
  expect(laterTime('early', '2024-05-15T15:02Z')).toBe('2024-05-15T15:02Z')
  expect(laterTime('early', 'late')).toBe('early')
  expect(laterTime('', '')).toBe('')
})

/** Formats an instant in another time zone. */
function write({ milliseconds, minutes }: { milliseconds: number; minutes: number }): string {
  const local = new Date(milliseconds + minutes * 60_000).toISOString().slice(0, -1)
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60].map(pair)
  return `${local}${minutes < 0 ? '-' : '+'}${hours}:${rest}`
}

function pair(part: number): string {
  return String(part).padStart(2, '0')
}
