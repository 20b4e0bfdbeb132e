import type { TestProject } from 'vitest/node'
import { startCluster, startServer } from './servers.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The servers that all tests share. Each test has its own key prefix. */
    addresses: {
      server: string
      appendOnly: string
      nodes: { readonly host: string; readonly port: number }[]
    }
  }
}

/** Servers for the whole run. A test that disturbs its server starts its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = await Promise.all([
    startServer(),
    startServer({ appendonly: 'yes', appendfsync: 'always' }),
    startCluster(),
  ])
  const [server, appendOnly, cluster] = started
  project.provide('addresses', { server: server.url, appendOnly: appendOnly.url, nodes: cluster.nodes })
  return async () => {
    await Promise.all(started.map(each => each.stop()))
  }
}
