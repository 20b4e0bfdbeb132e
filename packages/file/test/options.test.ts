import { FileSessionStore } from '@turnstore/file'
import { describe, expect, it } from 'vitest'

describe('the constructor of FileSessionStore refuses', () => {
  it.each([
    ['a misspelt option', ['folder', { timeout: 5 }], 'options has no member "timeout"'],
    ['an option of another store', ['folder', { durability: 'power-loss' }], 'options has no member "durability"'],
    ['a misspelt limit', ['folder', { limits: { turnbytes: 1 } }], 'limits has no member "turnbytes"'],
    ['options that are none', ['folder', 5_000], 'options must be an object'],
    ['no path', [''], 'takes the path of a folder'],
    ['a path with a NUL', ['a\0b'], 'takes the path of a folder'],
  ])('%s', (_what, args, message) => {
    expect(() => void Reflect.construct(FileSessionStore, args)).toThrow(message)
  })
})
