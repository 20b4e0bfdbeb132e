import { useEffect, useState } from 'preact/hooks'
import type { ErrorAnswer } from '../../src/inspector/answers.ts'
import { problemOf } from '../data/api.ts'

export interface Loaded<T> {
  readonly value: T | null
  readonly problem: ErrorAnswer | null
}

/** What the server says. Read again when a dependency is another one; until then the last value stays. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, dependencies: readonly unknown[]): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, problem: null })
  useEffect(() => {
    const controller = new AbortController()
    load(controller.signal).then(
      value => setLoaded({ value, problem: null }),
      (error: unknown) => {
        const problem = problemOf(error)
        if (problem !== null) setLoaded({ value: null, problem })
      },
    )
    return () => controller.abort()
  }, dependencies)
  return loaded
}
