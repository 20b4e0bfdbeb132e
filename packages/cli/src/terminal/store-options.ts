import type { Limits } from '@turnstore/core'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { loadAdapters } from '../stores/load-adapters.js'
import { collected } from './options.js'
import type { OpenOptions } from '../stores/open-store.js'

interface GlobalOptions {
  readonly timeout?: number
  readonly limits?: Partial<Limits>
  readonly adapter?: readonly string[]
}

/** The options that all commands take, before or after their name. */
export function addStoreOptions(program: Command): Command {
  return program
    .addOption(
      new Option('--timeout <seconds>', 'how long to wait for a server or for other writers (default: 10)').argParser(
        readTimeout,
      ),
    )
    .addOption(
      new Option(
        '--limits <name=n>',
        'limits of a store that has others than the default: partBytes, turnBytes, metadataBytes or jsonDepth; ' +
          'repeatable; sizes may end in KiB, MiB or GiB',
      ).argParser(readLimit),
    )
    .addOption(
      new Option(
        '--adapter <module>',
        'a module with stores of your own: a package or a path such as ./my-store.mjs; repeatable',
      ).argParser(collected),
    )
}

/** @throws `INVALID_ARGUMENT` for a module without adapters */
export async function readStoreOptions(
  program: Command,
): Promise<Pick<OpenOptions, 'timeoutMs' | 'limits' | 'adapters'>> {
  const { timeout, limits, adapter = [] } = program.opts<GlobalOptions>()
  const adapters = await Promise.all(adapter.map(loadAdapters))
  return {
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...(limits === undefined ? {} : { limits }),
    ...(adapters.length === 0 ? {} : { adapters: Object.fromEntries(adapters.flatMap(map => Object.entries(map))) }),
  }
}

/** The longest that all stores take. */
const MOST_SECONDS = 600

function readTimeout(text: string): number {
  const seconds = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || seconds < 0.001 || seconds > MOST_SECONDS) {
    throw new InvalidArgumentError(`It must be a number of seconds, at most ${MOST_SECONDS}.`)
  }
  return Math.round(seconds * 1000)
}

const names = ['partBytes', 'turnBytes', 'metadataBytes', 'jsonDepth'] as const
const units: Readonly<Record<string, number>> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

function readLimit(text: string, before: Partial<Limits> = {}): Partial<Limits> {
  const [, given, digits, unit = ''] = /^(\w+)=(\d{1,15})(KiB|MiB|GiB)?$/.exec(text) ?? []
  const name = names.find(known => known === given)
  if (name === undefined) {
    throw new InvalidArgumentError(`It must be one of ${names.join(', ')}, = and a number, such as turnBytes=512MiB.`)
  }
  return { ...before, [name]: Number(digits) * (units[unit] ?? 1) }
}
