import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { failureOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

it('the base must not be a file', async () => {
  writeFileSync(folder.path('file'), '')
  expect((await failureOf(folder.open({}, folder.path('file')).listSessions())).code).toBe('INVALID_ARGUMENT')
})

it.each([
  ['of a newer version', '{"version":2,"folds_case":false}', 'SCHEMA_TOO_NEW'],
  ['that is empty', '', 'STORE_UNAVAILABLE'],
  ['of a version that never was', '{"version":0,"folds_case":false}', 'STORE_UNAVAILABLE'],
])('a format %s is refused, and nothing is changed', async (_name, format, code) => {
  mkdirSync(folder.path('.turnstore'))
  writeFileSync(folder.path('.turnstore', 'format'), format)
  expect(await failureOf(folder.open().saveSession({ sessionId: 's' }))).toMatchObject({ code, outcome: 'not-stored' })
  expect(readdirSync(folder.base)).toEqual(['.turnstore'])
  expect(readdirSync(folder.path('.turnstore'))).toEqual(['format'])
})
