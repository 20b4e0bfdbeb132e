import type { SessionStore } from '@turnstore/core'
import { show } from './expect.js'

/** Which call an error came from, for failures of calls that should have succeeded. */
const origins = new WeakMap<Error, () => string>()

export function originOf(error: unknown): string | undefined {
  return error instanceof Error ? origins.get(error)?.() : undefined
}

export function setOrigin(error: unknown, method: string, args: readonly unknown[], where = ''): void {
  // Put into words only where it is told: most errors are expected, and some arguments are huge.
  if (error instanceof Error) origins.set(error, () => `${method}(${args.map(show).join(', ')})${where}`)
}

/** The same store; what its calls fail with is known by the call from then on. Nothing else is altered. */
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
