import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isTurnstoreError, type JsonValue, TurnstoreError } from '@turnstore/core'
import type { Operation } from '../histories/operations.js'
import type { ChildModule } from './child-module.js'
import { setOrigin } from '../checks/watched.js'
import { type Answer, isAnswer, isNote, type Note } from './protocol.js'
import type { MethodName } from '../samples/methods.js'

/** A child process with a store on the same data. */
export interface Child {
  /** Calls a method of the child's store. Rejects with the error's code, message, outcome and revision. */
  readonly call: (method: MethodName, ...args: unknown[]) => Promise<JsonValue>
  /**
   * Starts independent work: each caller makes its calls one after the other. The child reports each call before it is
   * made and after it is answered. Resolves when all are made, or when the process is killed.
   */
  readonly work: (callers: readonly (readonly Operation[])[], hear: (note: Note) => void) => Promise<void>
  /** Sends SIGKILL. Resolves when the process is gone and all of its reports are read. */
  readonly kill: () => Promise<void>
}

interface Waiting {
  resolve(value: JsonValue): void
  reject(error: Error): void
  hear?(note: Note): void
}

/** A starting process. It can be killed before it is ready. */
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
      throw new Error('the child process sent an invalid answer')
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

/** Deno treats an installed entry file as its own project, which would not find its peer dependencies. */
function denoFlags(worker: string): string[] {
  return worker.includes('/node_modules/') ? ['--node-modules-dir=manual'] : []
}

/** Undefined for a truncated line. */
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
