import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { append, at } from '../../../scripts/testing/sessions.ts'
import type { Folder } from './folder.ts'

/** A document with two turns and a journal with three changes, as a killed process leaves them. */
export async function leaveSession(folder: Folder): Promise<{ document: Buffer; journal: Buffer }> {
  const store = folder.open()
  await store.saveSession({
    sessionId: 's',
    createdAt: at,
    updatedAt: at,
    turns: [{ turnId: 'd1' }, { turnId: 'd2', prompt: 'ü' }],
  })
  await store.changeSession('s', append('j1'))
  await store.changeSession('s', {
    updateTurns: [{ turnId: 'j1', putToolCalls: [{ callId: 'c', toolName: 'f' }] }],
    updatedAt: at,
  })
  await store.changeSession('s', { ...append('j2', 'j3'), setMetadata: { text: 'JJ**zz\u4a0a{}' } })
  return { document: readFileSync(folder.path('s.json')), journal: readFileSync(folder.path('s.journal')) }
}

/** Writes these files of a session into a folder of their own. */
export function put(folder: Folder, files: { document: Buffer | string; journal?: Buffer }): string {
  const base = folder.path(randomBytes(8).toString('hex'))
  mkdirSync(base)
  writeFileSync(`${base}/s.json`, files.document)
  if (files.journal !== undefined) writeFileSync(`${base}/s.journal`, files.journal)
  return base
}

export async function load(folder: Folder, base: string): Promise<string> {
  const store = folder.open({}, base)
  try {
    return await store.loadSession('s').then(JSON.stringify, (error: unknown) => failureCode(error))
  } finally {
    await store.close()
  }
}

export function failureCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

/** The content of a folder, except for the store's own folder. */
export function contentOf(base: string): string[] {
  return readdirSync(base, { withFileTypes: true })
    .filter(entry => entry.name !== '.turnstore')
    .map(entry => {
      const path = `${base}/${entry.name}`
      if (entry.isSymbolicLink()) return `${entry.name} -> ${readlinkSync(path)}`
      return entry.isFile() ? `${entry.name}: ${readFileSync(path, 'latin1')}` : entry.name
    })
}

/** A document with these members. */
export const text = (session: object): string =>
  JSON.stringify({ session_id: 's', created_at: at, ...session }, null, 2)
