import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeName, encodeName, maxNameBytes, verbatimName, type NameOptions } from '../../src/folder/file-name.ts'

const everyOption: NameOptions[] = [
  { foldsCase: false, kind: 'session' },
  { foldsCase: false, kind: 'workspace' },
  { foldsCase: true, kind: 'session' },
  { foldsCase: true, kind: 'workspace' },
]

const hazards = [
  '../x',
  '..',
  '.',
  '/etc/passwd',
  'a/../../b',
  'base',
  'base-evil',
  '..\\x',
  'C:x',
  '\\\\?\\C:\\x',
  'CON',
  'NUL.json',
  'COM1 ',
  'COM¹',
  'com1.txt',
  'nul',
  'lpt9',
  'CONIN$',
  'conout$.x',
  'COM1 .x',
  'a.',
  'a ',
  'a. .',
  'a:stream',
  '%2e%2e%2f',
  '%252e',
  '%h',
  '%H',
  '%',
  'ß',
  'ss',
  'A',
  'a',
  'ﬁ',
  'fi',
  'İ',
  'i̇',
  'ı',
  'K',
  'K',
  'k',
  'ſ',
  's',
  'é'.normalize('NFC'),
  'é'.normalize('NFD'),
  'x'.repeat(200),
  'é'.repeat(100),
  '😀'.repeat(50),
  '/'.repeat(200),
  'A'.repeat(200),
  'a\0b',
  'a\nb',
  '\u202ea',
  'a\u200bb',
  'a\u0085b',
  'x.json',
  'X.JSON',
  '.json',
  '.hidden',
  '.turnstore',
  '-rf',
  '~',
  'LONGNA~1',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  "x') OR '1'='1",
  '{a}b',
  '*',
  '?',
  '[a-z]',
  ' ',
  ' a',
  'unicode-日本語',
]

/** What the least precise file systems do before they compare two names. */
const folded = (name: string): string =>
  name
    .normalize('NFKD')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll('ß', 'ss')
    .replaceAll(/\u0307|\u200b/g, '')

const onDisk = (name: string, options: NameOptions): string => (options.kind === 'session' ? `${name}.json` : name)

const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text)

const reserved = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)/i

function expectSafe(name: string, options: NameOptions): void {
  const entry = onDisk(name, options)
  expect(name).not.toBe('')
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(maxNameBytes)
  // oxlint-disable-next-line no-control-regex -- they are the point
  expect(entry).not.toMatch(/[/\\:*?"<>|\u0000-\u001f\u007f-\u009f]/)
  expect(name).not.toMatch(/^\.|[. ]$/)
  expect(entry).not.toMatch(reserved)
  expect(isWellFormed(entry)).toBe(true)
  expect(options.kind === 'workspace' && /\.json$/i.test(entry)).toBe(false)
}

const id = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 50 }),
    fc.string({ unit: fc.constantFrom(...'aAbB.%/ h24E5~:ßéÉ'.split('')), minLength: 1, maxLength: 12 }),
    fc.string({ unit: fc.constantFrom('A', 'é', '/', 'a'), minLength: 60, maxLength: 100 }),
    fc.tuple(fc.constantFrom(...hazards), fc.constantFrom('', '.json', '.', ' ', '.x')).map(parts => parts.join('')),
  )
  .filter(text => isWellFormed(text) && Buffer.byteLength(text) <= 200)

describe.each(everyOption)('names of a $kind, folding $foldsCase', options => {
  it.each(hazards)('%j has a safe name that decodes to it', hazard => {
    const name = encodeName(hazard, options)
    expectSafe(name, options)
    expect(decodeName(name, options)).toBe(name.startsWith('%h') ? null : hazard)
  })

  it('no two of the hazards share a name', () => {
    const names = hazards.map(hazard => encodeName(hazard, options))
    expect(new Set(options.foldsCase ? names.map(folded) : names).size).toBe(new Set(hazards).size)
  })

  it('any id has a safe name that decodes to it', () => {
    fc.assert(
      fc.property(id, text => {
        const name = encodeName(text, options)
        expectSafe(name, options)
        expect(decodeName(name, options)).toBe(name.startsWith('%h') ? null : text)
      }),
      { numRuns: 2000 },
    )
  })

  it('two ids never share a name', () => {
    fc.assert(
      fc.property(id, id, (one, other) => {
        fc.pre(one !== other)
        const names = [one, other].map(text => encodeName(text, options))
        expect(new Set(options.foldsCase ? names.map(folded) : names).size).toBe(2)
      }),
      { numRuns: 5000 },
    )
  })

  it('different spellings of an id never share a name', () => {
    fc.assert(
      fc.property(id, text => {
        const spellings = [
          text,
          text.toUpperCase(),
          text.toLowerCase(),
          text.normalize('NFC'),
          text.normalize('NFD'),
          encodeName(text, options),
        ]
        const ids = new Set(spellings.filter(spelling => Buffer.byteLength(spelling) <= 200))
        const names = [...ids].map(spelling => encodeName(spelling, options))
        expect(new Set(options.foldsCase ? names.map(folded) : names).size).toBe(ids.size)
      }),
      { numRuns: 2000 },
    )
  })

  it('a name decodes to an id only if it is the name of that id', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'aA%24EeFf.é h'.split('')), maxLength: 12 }), name => {
        const decoded = decodeName(name, options)
        expect(decoded === null || encodeName(decoded, options) === name).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('names', () => {
  const session: NameOptions = { foldsCase: false, kind: 'session' }
  const workspace: NameOptions = { foldsCase: false, kind: 'workspace' }

  it.each(['airline-00-0', 'Trial_1', 'unicode-日本語', 'a b', 'x.json', 'é', '~', '-rf', 'a'.repeat(200)])(
    'a plain id is its own name: %s',
    plain => expect(encodeName(plain, session)).toBe(plain),
  )

  it.each([
    ['a:b', 'a%3Ab'],
    ['100%', '100%25'],
    ['.hidden', '%2Ehidden'],
    ['a.', 'a%2E'],
    ['a ', 'a%20'],
    ['nul', '%6Eul'],
    ['NUL.txt', '%4EUL.txt'],
    ['console', 'console'],
    ['com', 'com'],
    ['com10', 'com10'],
  ])('%j is written as %s', (plain, name) => expect(encodeName(plain, session)).toBe(name))

  it('a workspace never has the name of a session or of the store’s own folder', () => {
    expect(encodeName('a.json', workspace)).toBe('a%2Ejson')
    expect(encodeName('a.JSON', workspace)).toBe('a%2EJSON')
    expect(encodeName('.turnstore', workspace)).toBe('%2Eturnstore')
  })

  it('an id that looks like the hash of another has another name', () => {
    const hashed = encodeName('/'.repeat(200), session)
    expect(hashed).toMatch(/^%h[0-9a-f]{64}$/)
    expect(encodeName(hashed, session)).toBe(`%25${hashed.slice(1)}`)
  })

  it.each(['', 'a:b', '%2e', '%61', '%', '%h', '%C3', '.hidden', 'nul', 'a.'])('%j decodes to no id', name =>
    expect(decodeName(name, session)).toBe(null),
  )

  it('the reference uses an id verbatim if it is one path component', () => {
    for (const text of ['a:b', 'a\\b', '100%', '.hidden', 'a.', 'CON', '...', 'x'.repeat(250)])
      expect(verbatimName(text)).toBe(text)
    for (const text of ['', '.', '..', 'a/b', '/', '../x', 'a\0b', 'x'.repeat(251), 'é'.repeat(126)])
      expect(verbatimName(text)).toBe(null)
  })
})
