import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What may happen to a chunk of bytes. */
export type Fault =
  /** The connection breaks before the server receives it. */
  | 'reset before delivery'
  /** The server receives it, and the connection breaks before the client receives the reply. */
  | 'reset after delivery'
  /** There are no more replies, and after a while the connection breaks. */
  | 'drop'
  /** Replies are late. */
  | 'delay'
  /** Replies arrive in small pieces. */
  | 'split'

/** How long a connection is silent before it breaks. */
const SILENCE_MS = 150

export interface Proxy {
  readonly port: number
  /** The number of times that each fault has happened. */
  readonly happened: Map<Fault, number>
  /** Chooses the fault for each chunk from a client. Null for none. */
  choose: () => Fault | null
  stop(): Promise<void>
}

/** A TCP proxy on loopback that causes the faults of networks. */
export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const happened = new Map<Fault, number>()
  const server = createServer(client => {
    const upstream = connect(target, '127.0.0.1')
    const breakOff = (): void => {
      client.resetAndDestroy()
      upstream.destroy()
    }
    let mode: Fault | null = null
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', breakOff)
      socket.on('close', () => {
        sockets.delete(socket)
        breakOff()
      })
    }
    client.on('data', chunk => {
      // A connection that will break stays silent: after a missing reply, the client would mismatch all others.
      const fault = mode === 'drop' || mode === 'reset after delivery' ? null : proxy.choose()
      if (fault !== null) {
        happened.set(fault, (happened.get(fault) ?? 0) + 1)
        mode = fault
      }
      if (fault === 'reset before delivery') return breakOff()
      if (fault === 'drop') setTimeout(breakOff, SILENCE_MS)
      upstream.write(chunk)
    })
    upstream.on('data', chunk => {
      if (mode === 'reset after delivery') return breakOff()
      if (mode === 'drop') return
      if (mode === 'delay') later(client, upstream, chunk)
      else if (mode === 'split') inPieces(client, chunk)
      else client.write(chunk)
      if (mode === 'split') mode = null
    })
    function later(to: Socket, from: Socket, chunk: Buffer): void {
      from.pause()
      mode = null
      setTimeout(() => {
        if (!to.destroyed) to.write(chunk)
        from.resume()
      }, 20)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: Proxy = {
    port: portOf(server.address()),
    happened,
    choose: () => null,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}

/** Sends the first bytes one by one, then two halves: parsers fail on small pieces. */
function inPieces(client: Socket, chunk: Buffer): void {
  const end = Math.min(chunk.length, 64)
  for (let at = 0; at < end; at++) client.write(chunk.subarray(at, at + 1))
  const middle = end + ((chunk.length - end) >> 1)
  client.write(chunk.subarray(end, middle))
  client.write(chunk.subarray(middle))
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
