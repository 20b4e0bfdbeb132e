import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TurnstoreError } from '@turnstore/core'
import { quote, safeCause } from '@turnstore/core/adapter'
import { type Adapters, isAdapters } from './adapters.js'

/**
 * Imports the adapters of a module: its default export, or its export `adapters`. A path is relative to the working
 * directory, from where packages are found too.
 *
 * @throws `INVALID_ARGUMENT`
 */
export async function loadAdapters(module: string): Promise<Adapters> {
  const imported = await importFrom(module)
  const found = [Reflect.get(imported, 'adapters'), Reflect.get(imported, 'default')].find(isAdapters)
  if (found !== undefined) return found
  throw invalid(
    `${quote(module)} has no adapters: it must export a map from schemes to functions, as default or as adapters`,
  )
}

async function importFrom(module: string): Promise<object> {
  try {
    const imported: unknown = await import(placeOf(module))
    return typeof imported === 'object' && imported !== null ? imported : {}
  } catch (error) {
    const { message } = safeCause(error)
    throw invalid(
      `The adapter module ${quote(module)} cannot be loaded (${message}); check its path and what it imports`,
    )
  }
}

function placeOf(module: string): string {
  if (/^(?:\.{0,2}[/\\]|[A-Za-z]:[/\\])/.test(module)) return pathToFileURL(resolve(module)).href
  if (/^(?:file|node|data):/.test(module)) return module
  try {
    return pathToFileURL(createRequire(join(process.cwd(), 'package.json')).resolve(module)).href
  } catch {
    // It may be installed beside this command.
    return module
  }
}

function invalid(message: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', message)
}
