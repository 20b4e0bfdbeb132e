import type { SessionStore } from '@turnstore/core'
import { show } from './expect.js'

/** The call that an error came from, for failures of calls that should have succeeded. */
const origins = new WeakMap<Error, () => string>()

export function originOf(error: unknown): string | undefined {
  return error instanceof Error ? origins.get(error)?.() : undefined
}

export function setOrigin(error: unknown, method: string, args: readonly unknown[], where = ''): void {
  // Formatted only when needed: most errors are expected, and some arguments are huge.
  if (error instanceof Error) origins.set(error, () => `${method}(${args.map(show).join(', ')})${where}`)
}

/** Wraps a store so that its errors are linked to the call. Changes nothing else. */
export function watched<Store extends SessionStore>(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function' || name === 'constructor') return member
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(member, target, args)
        if (result instanceof Promise) {
          result.catch((error: unknown) => {
            setOrigin(error, String(name), args)
          })
        }
        return result
      }
    },
  })
}
