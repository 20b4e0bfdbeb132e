import type { TestProject } from 'vitest/node'
import { startCluster, startServer } from './servers.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the servers are that all tests share: each test has a key prefix of its own. */
    addresses: {
      server: string
      appendOnly: string
      nodes: { readonly host: string; readonly port: number }[]
    }
  }
}

/** Servers for the whole run; a test that hurts its server starts one of its own. */
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
