import { resolve } from 'node:path'
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { SetupError, type StoreSetup } from '../cases/setup.js'

/**
 * Loads the setup that a module exports as its default, or that its default export returns.
 * @throws `SetupError` if the module does not export a setup
 */
export async function loadSetup(path: string): Promise<StoreSetup> {
  const file = resolve(path)
  if (!existsSync(file)) throw new SetupError(`File not found: ${path}`)
  const loaded = await doing(`Cannot load ${path}`, async (): Promise<unknown> => import(pathToFileURL(file).href))
  const exported: unknown =
    typeof loaded === 'object' && loaded !== null && 'default' in loaded ? loaded.default : undefined
  const setup: unknown = isFunction(exported)
    ? await doing(`The default export of ${path} failed`, async () => exported())
    : exported
  if (!isSetup(setup)) {
    throw new SetupError(
      `${path} must export a setup as its default, or a function that returns one: ` +
        '{ name, open, … }, where name is a string and open a function',
    )
  }
  return setup
}

async function doing(what: string, work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work()
  } catch (error) {
    throw new SetupError(`${what}: ${sentenceOf(error)}`)
  }
}

/** An error in the adapter author's code, with its location. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const place = /^ +at .*?(file:[^\s)]+)/m.exec(error.stack ?? '')?.[1]
  return `${error.name}: ${error.message}${place === undefined ? '' : ` (${place})`}`
}

function isFunction(value: unknown): value is () => unknown {
  return typeof value === 'function'
}

function isSetup(value: unknown): value is StoreSetup {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'open' in value &&
    typeof value.open === 'function'
  )
}
