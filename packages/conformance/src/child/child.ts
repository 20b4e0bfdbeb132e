import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isTurnstoreError, type JsonValue, TurnstoreError } from '@turnstore/core'
import type { Operation } from '../histories/operations.js'
import type { ChildModule } from './child-module.js'
import { setOrigin } from '../checks/watched.js'
import { type Answer, isAnswer, isNote, type Note } from './protocol.js'
import type { MethodName } from '../samples/methods.js'

/** A process of its own with a store on the same data. */
export interface Child {
  /** Calls a method of the store there. Rejects with the error's code, message, outcome and revision. */
  readonly call: (method: MethodName, ...args: unknown[]) => Promise<JsonValue>
  /**
   * Lets it make these calls by itself, those of each caller one after the other. It tells of each before it is made
   * and after it was answered. Resolves when all are made, or when the process is killed.
   */
  readonly work: (callers: readonly (readonly Operation[])[], hear: (note: Note) => void) => Promise<void>
  /** SIGKILL: whatever is under way is cut off. Resolves when the process is gone and all that it told is heard. */
  readonly kill: () => Promise<void>
}

interface Waiting {
  resolve(value: JsonValue): void
  reject(error: Error): void
  hear?(note: Note): void
}

/** A process on its way: it can be killed before it is ready. */
export interface StartingChild {
  /** Resolves when the child has opened the store. */
  readonly ready: Promise<Child>
  readonly kill: Child['kill']
}

export function startChild({ module, args = null }: ChildModule): StartingChild {
  const worker = fileURLToPath(new URL('./worker.js', import.meta.url))
  const flags = 'Deno' in globalThis ? ['run', '--allow-all', ...denoFlags(worker)] : []
  const child = spawn(process.execPath, [...flags, worker, String(module), JSON.stringify(args)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const waiting = new Map<number, Waiting>()
  let calls = 0
  let isKilled = false

  createInterface({ input: child.stdout }).on('line', line => {
    const said = parse(line)
    if (isAnswer(said)) {
      const call = waiting.get(said.id)
      waiting.delete(said.id)
      if ('error' in said) call?.reject(errorOf(said.error))
      else call?.resolve(said.result)
    } else if (isNote(said)) {
      waiting.get(said.id)?.hear?.(said)
    } else if (!isKilled) {
      throw new Error('the child process said something that is no answer')
    }
  })
  const end = (reason: string): void => {
    for (const call of waiting.values()) {
      if (call.hear !== undefined && isKilled) call.resolve(null)
      else call.reject(new Error(`the child process ${reason}`))
    }
    waiting.clear()
  }
  const gone = new Promise<void>(resolve => {
    child.on('error', error => {
      end(`failed: ${error.message}`)
      resolve()
    })
    child.on('close', (code, signal) => {
      end(`ended with ${signal ?? `code ${code}`}`)
      resolve()
    })
  })
  child.stdin.on('error', () => {
    if (!isKilled) end('takes no more calls')
  })

  const ask = (message: object, hear?: (note: Note) => void): Promise<JsonValue> =>
    new Promise((resolve, reject) => {
      const id = ++calls
      waiting.set(id, { resolve, reject, ...(hear && { hear }) })
      child.stdin.write(`${JSON.stringify({ id, ...message })}\n`)
    })
  const call: Child['call'] = async (method, ...args) => {
    try {
      return await ask({ method, args })
    } catch (error) {
      setOrigin(error, method, args, ' in another process')
      throw error
    }
  }
  const work: Child['work'] = (callers, hear) => ask({ work: callers }, hear).then(() => undefined)
  const kill = (): Promise<void> => {
    isKilled = true
    child.kill('SIGKILL')
    return gone
  }
  return { ready: call('ready').then(() => ({ call, work, kill })), kill }
}

/** Deno takes an installed file that it starts with for a project of its own, which would not find its peers. */
function denoFlags(worker: string): string[] {
  return worker.includes('/node_modules/') ? ['--node-modules-dir=manual'] : []
}

/** Nothing for a line that was cut off. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function errorOf({ code, message, outcome, actualRevision }: Extract<Answer, { error: object }>['error']): Error {
  const error = Object.assign(new Error(message), { name: 'TurnstoreError', code })
  if (!isTurnstoreError(error)) return new Error(message)
  return new TurnstoreError(error.code, message, {
    ...(outcome === 'unknown' || outcome === 'not-stored' ? { outcome } : {}),
    ...(actualRevision === undefined ? {} : { actualRevision }),
  })
}
