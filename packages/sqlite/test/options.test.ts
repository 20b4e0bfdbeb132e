import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'

describe('the constructor of SqliteSessionStore refuses', () => {
  it.each([
    ['a misspelt option', ['s.db', { timeout: 5 }], 'options has no member "timeout"'],
    ['an option of the driver', ['s.db', { readonly: true }], 'options has no member "readonly"'],
    ['a misspelt limit', ['s.db', { limits: { turnbytes: 1 } }], 'limits has no member "turnbytes"'],
    ['a durability that is none', ['s.db', { durability: 'full' }], 'options.durability must be'],
    ['a way to open that is none', ['s.db', { open: 's.db' }], 'options.open must be a function'],
    ['options that are none', ['s.db', 5_000], 'options must be an object'],
    ['no path', [''], 'INVALID_ARGUMENT'],
    ['a URI', ['file:s.db?mode=ro'], 'INVALID_ARGUMENT'],
    ['an object that is no Database', [{}], 'INVALID_ARGUMENT'],
  ])('%s', (_what, args, words) => {
    let refusal = 'nothing'
    try {
      Reflect.construct(SqliteSessionStore, args)
    } catch (error) {
      refusal = error instanceof Error && 'code' in error ? `${String(error.code)}: ${error.message}` : String(error)
    }
    expect(refusal).toMatch(/^INVALID_ARGUMENT: /)
    expect(refusal).toContain(words)
  })
})
