/*
 * The child process: `worker.js MODULE ARGS` opens the store with the module's default export and serves calls from
 * standard input until it ends.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isTurnstoreError, type SessionStore } from '@turnstore/core'
import { untyped } from '../samples/methods.js'
import { callerOf, perform } from '../histories/operations.js'
import { type Answer, type Call, isCall, isWork, type Note, type Work } from './protocol.js'

const [module = '', args = 'null'] = process.argv.slice(2)
// Other output of this process must not mix with the answers.
process.stdout.write = process.stderr.write.bind(process.stderr)

const store = await openStore()
for await (const line of createInterface({ input: process.stdin })) {
  const said: unknown = JSON.parse(line)
  if (isCall(said)) void serve(store, said)
  if (isWork(said)) void work(store, said)
}
await store.close()

/** Writes synchronously, so that a kill cannot lose the message. */
function say(message: Answer | Note): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(1, bytes, written)
    } catch (error) {
      // The pipe is full; try again.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
    }
  }
}

async function openStore(): Promise<SessionStore> {
  const loaded: unknown = await import(isAbsolute(module) ? pathToFileURL(module).href : module)
  if (!hasOpener(loaded))
    throw new TypeError(`${module} must have a function that opens the store as its default export`)
  return loaded.default(JSON.parse(args))
}

function hasOpener(loaded: unknown): loaded is { default: (args: unknown) => SessionStore | Promise<SessionStore> } {
  return typeof loaded === 'object' && loaded !== null && 'default' in loaded && typeof loaded.default === 'function'
}

async function serve(store: SessionStore, { id, method, args }: Call): Promise<void> {
  try {
    const result: unknown = await Reflect.apply(store[method], store, args)
    say({ id, result: untyped(result ?? null) })
  } catch (error) {
    const { code, message, outcome, actualRevision } = isTurnstoreError(error)
      ? error
      : { code: '', message: String(error), outcome: undefined, actualRevision: undefined }
    const details = { ...(outcome && { outcome }), ...(actualRevision !== undefined && { actualRevision }) }
    say({ id, error: { code, message, ...details } })
  }
}

async function work(store: SessionStore, { id, work }: Work): Promise<void> {
  const call = callerOf(store)
  await Promise.all(
    work.map(async (operations, caller) => {
      for (const [place, operation] of operations.entries()) {
        say({ id, caller, place })
        say({ id, caller, place, outcome: await perform(operation, call) })
      }
    }),
  )
  say({ id, result: null })
}
