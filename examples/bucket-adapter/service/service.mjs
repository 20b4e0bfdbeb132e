import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Starts the service in a child process, which exits with this one. It lists a hundred keys per page. */
export async function startService() {
  const server = spawn(process.execPath, [fileURLToPath(new URL('server.mjs', import.meta.url)), '100'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await once(server.stdout.setEncoding('utf8'), 'data')
  // Does not keep the process alive. (In Bun, pipes have no unref.)
  for (const handle of [server, server.stdin, server.stdout]) handle.unref?.()
  return line.trim()
}
