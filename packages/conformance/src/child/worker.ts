/*
 * The child process: `worker.js MODULE ARGS` opens the store that the module's default export gives
 * and serves the calls that come in on standard input until that ends.
 */
import { createInterface } from 'node:readline'
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isTurnstoreError, type SessionStore } from '@turnstore/core'
import { type Call, isCall } from './protocol.js'

const [module = '', args = 'null'] = process.argv.slice(2)
// Whatever else is printed in this process must not come between the answers.
const answer = process.stdout.write.bind(process.stdout)
process.stdout.write = process.stderr.write.bind(process.stderr)

const store = await openStore()
for await (const line of createInterface({ input: process.stdin })) {
  const call: unknown = JSON.parse(line)
  if (isCall(call)) void serve(store, call)
}
await store.close()

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
    answer(`${JSON.stringify({ id, result: result ?? null })}\n`)
  } catch (error) {
    const known = isTurnstoreError(error)
    const said = known
      ? { code: error.code, message: error.message, outcome: error.outcome }
      : { code: '', message: String(error) }
    answer(`${JSON.stringify({ id, error: said })}\n`)
  }
}
