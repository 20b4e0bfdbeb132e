import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Starts the service in a process of its own, which ends when this one does. Lists a hundred keys at a time. */
export async function startService() {
  const server = spawn(process.execPath, [fileURLToPath(new URL('server.mjs', import.meta.url)), '100'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await once(server.stdout.setEncoding('utf8'), 'data')
  // Whoever uses it need not wait for it to end. (In Bun, pipes are none to wait for.)
  for (const handle of [server, server.stdin, server.stdout]) handle.unref?.()
  return line.trim()
}
