import { describe, it } from 'vitest'
import { sessionStoreSuite } from '../src/index.ts'
import { PlainStore } from './plain-adapter.ts'

await sessionStoreSuite({
  describe,
  it,
  name: 'PlainStore',
  open: () => new PlainStore(),
  reopen: store => store.reopen(),
  damages: { 'a cut text': (store, id) => store.damage(id) },
})
