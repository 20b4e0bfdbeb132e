import { TurnstoreError } from '@turnstore/core'
import { inMemory } from '../mutant.ts'
import type { Faults } from '../row-store.ts'

/** Errors and logs that carry what was stored. */
export const discretion = inMemory('discretion', {
  'puts the call into the cause of an error': [
    'an error of a driver, handed on',
    failing((error, args) => remade(error, { cause: new Error(JSON.stringify(args[1] ?? args[0])) })),
  ],
  'puts the call into the cause of the cause': [
    'a chain of errors',
    failing((error, args) => remade(error, { cause: new Error('failed', { cause: new Error(safely(args)) }) })),
  ],
  'puts the command on an error': [
    'as ioredis does',
    failing((error, args) => define(error, 'command', { args }, true)),
  ],
  'hides the command on an error': [
    'a member that is not enumerable',
    failing((error, args) => define(error, 'command', { args }, false)),
  ],
  'puts the content into a message': [
    'a message that quotes',
    failing(
      (error, args) => new TurnstoreError(codeOf(error), `failed with ${safely(args)}`, { outcome: 'not-stored' }),
    ),
  ],
  'puts the content into the stack': [
    'a stack that is made longer',
    failing((error, args) => {
      error.stack = `${error.stack}\n${safely(args)}`
      return error
    }),
  ],
  'puts the content into what JSON makes of an error': [
    'toJSON of its own',
    failing((error, args) => define(error, 'toJSON', () => ({ args: safely(args) }), false)),
  ],
  'quotes the arguments of a finished tool call': [
    'a message that shows what differs',
    failing((error, args) =>
      error.code === 'CALL_ID_CONFLICT'
        ? new TurnstoreError(error.code, safely(args), { outcome: 'not-stored' })
        : error,
    ),
  ],
  'quotes the change that another key stands for': [
    'a message that shows what differs',
    failing((error, args) =>
      error.code === 'IDEMPOTENCY_KEY_CONFLICT'
        ? new TurnstoreError(error.code, safely(args), { outcome: 'not-stored' })
        : error,
    ),
  ],
  'quotes what it was to create': [
    'a message that shows the options',
    failing((error, args) =>
      has(args[2], 'createIfMissing')
        ? new TurnstoreError(error.code, safely(args[2]), { outcome: 'not-stored' })
        : error,
    ),
  ],
  'logs the content of a failed call': [
    'console.error in a catch',
    failing((error, args) => {
      // oxlint-disable-next-line eslint/no-console -- this is the fault
      console.error('failed', safely(args))
      return error
    }),
  ],
  'logs every call': [
    'a trace that was left on',
    {
      around: (next, method, args) => {
        // oxlint-disable-next-line eslint/no-console -- this is the fault
        if (method === 'changeSession') console.debug(method, safely(args))
        return next(...args)
      },
    },
  ],
  'quotes the cursor that it cannot read': [
    'a message that quotes',
    failing((error, args, method) =>
      method === 'querySessions' ? new TurnstoreError(codeOf(error), `no cursor: ${safely(args)}`) : error,
    ),
  ],
  'hands on what a getter throws': [
    'a getter is called outside of the checks',
    {
      around: (next, method, args) => {
        if (method === 'changeSession' && typeof args[1] === 'object' && args[1] !== null) {
          try {
            Reflect.get(args[1], 'updatedAt')
          } catch (error) {
            return Promise.reject(error)
          }
        }
        return next(...args)
      },
    },
  ],
  'quotes the ids that it refuses': [
    'a message that quotes',
    failing((error, args, method) =>
      method === 'loadSession' ? new TurnstoreError(codeOf(error), `no id: ${safely(args)}`) : error,
    ),
  ],
  'swallows an error and says that it has stored': [
    'an empty catch',
    {
      around: (next, method, args) => {
        const result = next(...args)
        return result instanceof Promise && method === 'saveSession' ? result.catch(() => 1) : result
      },
    },
  ],
  'writes the content of a failed call to standard error': [
    'a logger of its own',
    failing((error, args) => {
      process.stderr.write(`failed ${safely(args)}\n`)
      return error
    }),
  ],
  'logs what it has stored': [
    'a line for each write, also where nothing fails',
    {
      async replace(next, session, on) {
        const revision = await next(session, on)
        // oxlint-disable-next-line eslint/no-console -- this is the fault
        console.info('stored', safely(session))
        return revision
      },
    },
  ],
  'logs what it has read': [
    'a line for each read',
    {
      async readTurns(next, ...args) {
        const page = await next(...args)
        // oxlint-disable-next-line eslint/no-console -- this is the fault
        console.debug('read', safely(page))
        return page
      },
    },
  ],
  'warns of a failed call with its content': [
    'process.emitWarning',
    failing((error, args) => {
      process.emitWarning(`failed ${safely(args)}`)
      return error
    }),
  ],
  'quotes the query that a cursor is not of': [
    'a message that quotes',
    failing((error, args, method) =>
      method === 'querySessions' && safely(args).includes('"cursor"') && safely(args).includes('"metadata"')
        ? new TurnstoreError(codeOf(error), `another query: ${safely(args)}`)
        : error,
    ),
  ],
  'logs what it closes with': [
    'a summary of the state, for debugging',
    {
      close(next) {
        // oxlint-disable-next-line eslint/no-console -- this is the fault
        console.debug('closing', safely(this.summaries(undefined)))
        return next()
      },
    },
  ],
  'logs what it has deleted': [
    'a line of an audit log',
    {
      async remove(next, id, scope) {
        const kept = safely(this.kept(id))
        const isGone = await next(id, scope)
        // oxlint-disable-next-line eslint/no-console -- this is the fault
        if (isGone) console.info('deleted', kept)
        return isGone
      },
    },
  ],
  'logs what comes again': [
    'a warning of a duplicate',
    {
      async change(next, id, change, on) {
        const result = await next(id, change, on)
        // oxlint-disable-next-line eslint/no-console -- this is the fault
        if (result.deduplicated.length > 0) console.warn('again', safely(change))
        return result
      },
    },
  ],
  'logs what it has to write again': [
    'a warning of a conflict',
    {
      async save(next, session, token) {
        const isSaved = await next(session, token)
        // oxlint-disable-next-line eslint/no-console -- this is the fault
        if (!isSaved) console.warn('lost against another', safely(session))
        return isSaved
      },
    },
  ],
})

function failing(tamper: (error: TurnstoreError, args: unknown[], method: string) => Error): Faults {
  return {
    around(next, method, args) {
      const result = next(...args)
      if (!(result instanceof Promise)) return result
      return result.catch((error: unknown) => {
        throw error instanceof TurnstoreError ? tamper(error, args, method) : error
      })
    },
  }
}

function has(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && name in value
}

function remade(error: TurnstoreError, details: { cause: Error }): TurnstoreError {
  return new TurnstoreError(error.code, error.message, { outcome: 'not-stored', ...details })
}

function codeOf(error: TurnstoreError): TurnstoreError['code'] {
  return error.code
}

function define(error: Error, name: string, value: unknown, enumerable: boolean): Error {
  return Object.defineProperty(error, name, { value, enumerable })
}

function safely(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ?? ''
  } catch {
    return ''
  }
}
