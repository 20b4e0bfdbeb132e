import { Cluster, Redis } from 'ioredis'

type Where = { readonly url: string } | { readonly nodes: { readonly host: string; readonly port: number }[] }

/** Runs the work with a client for each master. */
async function onMasters(where: Where, work: (master: Redis) => Promise<void>): Promise<void> {
  if ('url' in where) {
    const client = new Redis(where.url)
    try {
      await work(client)
    } finally {
      client.disconnect()
    }
    return
  }
  const cluster = new Cluster(where.nodes)
  try {
    await cluster.cluster('INFO')
    await Promise.all(cluster.nodes('master').map(work))
  } finally {
    cluster.disconnect()
  }
}

/** All keys with a prefix, which must not be a pattern. */
export async function keysOf(where: Where, prefix: string): Promise<string[]> {
  const found: string[] = []
  await onMasters(where, async master => {
    for await (const keys of master.scanStream({ match: `${prefix}*`, count: 1000 })) {
      if (Array.isArray(keys)) found.push(...keys.map(String))
    }
  })
  return found.toSorted()
}

export async function removeKeys(where: Where, prefix: string): Promise<void> {
  await onMasters(where, async master => {
    for await (const keys of master.scanStream({ match: `${prefix}*`, count: 1000 })) {
      if (Array.isArray(keys)) await Promise.all(keys.map(key => master.unlink(String(key))))
    }
  })
}
