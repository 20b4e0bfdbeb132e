import type { TestProject } from 'vitest/node'
import { type Server, startPgBouncer, startServer } from './servers.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The servers that all tests share. Each test has its own schema. */
    addresses: { readonly server: string; readonly pgBouncer: string }
  }
}

/** Servers for the whole run. A test that disturbs its server starts its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server: Server = await startServer()
  const pgBouncer = await startPgBouncer(server.port)
  project.provide('addresses', { server: process.env.POSTGRES_URL ?? server.url, pgBouncer: pgBouncer.url })
  return async () => {
    await pgBouncer.stop()
    await server.stop()
  }
}
