import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isTurnstoreError, type JsonValue, TurnstoreError } from '@turnstore/core'
import type { ChildModule } from '../setup.js'
import { type Answer, isAnswer, type MethodName } from './protocol.js'

/** A process of its own with a store on the same data. */
export interface Child {
  /** Calls a method of the store there. Rejects with the error's code, message and outcome. */
  readonly call: (method: MethodName, ...args: JsonValue[]) => Promise<JsonValue>
  /** SIGKILL: whatever is under way is cut off. */
  readonly kill: () => void
}

/**
 * Resolves when the child has opened the store and is ready.
 * @param signal kills it, also while it opens
 */
export async function startChild({ module, args = null }: ChildModule, signal: AbortSignal): Promise<Child> {
  const worker = fileURLToPath(new URL('./worker.js', import.meta.url))
  const flags = 'Deno' in globalThis ? ['run', '--allow-all', ...denoFlags(worker)] : []
  const child = spawn(process.execPath, [...flags, worker, String(module), JSON.stringify(args)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal,
    killSignal: 'SIGKILL',
  })
  const waiting = new Map<number, { resolve(value: JsonValue): void; reject(error: Error): void }>()
  let calls = 0

  createInterface({ input: child.stdout }).on('line', line => {
    const answer = readAnswer(line)
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('error' in answer) call?.reject(errorOf(answer.error))
    else call?.resolve(answer.result)
  })
  const end = (reason: string): void => {
    for (const call of waiting.values()) call.reject(new Error(`the child process ${reason}`))
    waiting.clear()
  }
  child.on('error', error => end(`failed: ${error.message}`))
  child.on('close', (code, signal) => end(`ended with ${signal ?? `code ${code}`}`))
  child.stdin.on('error', () => end('takes no more calls'))

  const call = (method: MethodName, ...args: JsonValue[]): Promise<JsonValue> =>
    new Promise((resolve, reject) => {
      const id = ++calls
      waiting.set(id, { resolve, reject })
      child.stdin.write(`${JSON.stringify({ id, method, args })}\n`)
    })
  await call('ready')
  return { call, kill: () => child.kill('SIGKILL') }
}

/** Deno takes an installed file that it starts with for a project of its own, which would not find its peers. */
function denoFlags(worker: string): string[] {
  return worker.includes('/node_modules/') ? ['--node-modules-dir=manual'] : []
}

function readAnswer(line: string): Answer {
  const answer: unknown = JSON.parse(line)
  if (!isAnswer(answer)) throw new Error('the child process said something that is no answer')
  return answer
}

function errorOf({ code, message, outcome }: { code: string; message: string; outcome?: string }): Error {
  const error = Object.assign(new Error(message), { name: 'TurnstoreError', code })
  if (!isTurnstoreError(error)) return new Error(message)
  return new TurnstoreError(error.code, message, outcome === 'unknown' || outcome === 'not-stored' ? { outcome } : {})
}
