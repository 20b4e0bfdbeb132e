import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { append, at, failureOf } from '../../../../scripts/testing/sessions.ts'
import { encodeRecord } from '../../src/format/journal.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

it('a journal of a newer version is refused by every call, and not changed', async () => {
  await folder.open().saveSession({ sessionId: 's', createdAt: at })
  const header = { journal: 2, session_id: 's', created_at: at, parent_session_id: null }
  const records = [encodeRecord(1, JSON.stringify(header)), encodeRecord(2, '{"a_newer":"member"}')]
  const journal = records.map(({ bytes }) => bytes.toString()).join('')
  writeFileSync(folder.path('s.journal'), journal)
  const store = folder.open()
  const calls: (() => Promise<unknown>)[] = [
    () => store.loadSession('s'),
    () => store.readTurns('s', { last: 1 }),
    () => store.changeSession('s', append('new')),
    () => store.saveSession({ sessionId: 's' }),
    () => store.deleteSession('s'),
  ]
  for (const call of calls) expect((await failureOf(call())).code).toBe('SCHEMA_TOO_NEW')
  await store.close()
  expect(readFileSync(folder.path('s.journal'), 'utf8')).toBe(journal)
})
