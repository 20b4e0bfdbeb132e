import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { checkAccess, hasToken, isCall } from './gate.js'
import { cookieName, type Keys, newKeys } from './keys.js'
import { badRequest, notFound } from './refusal.js'
import { sendAnswer, sendError } from './reply.js'
import { answer, type Inspected, wrongMethod } from './routes.js'
import { securityHeaders } from './security-headers.js'
import { staticFile } from './static-files.js'

export interface Inspector {
  /** Of the page, with the token. */
  readonly url: string
  /** Ends all connections. */
  close(): Promise<void>
}

/**
 * Serves the page on loopback. The store stays the caller's.
 * @param port 0 for a free one
 */
export async function startInspector(inspected: Inspected, port: number): Promise<Inspector> {
  const keys = newKeys()
  const server = createServer((request, response) => void handle(request, response))
  // Only once it listens is the port known.
  let bound = 0
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value)
    const left = new AbortController()
    response.once('close', () => left.abort())
    response.once('error', () => {})
    try {
      const url = urlOf(request)
      checkAccess(request, url, bound, keys)
      if (isCall(url)) await sendAnswer(response, await answer(inspected, request, url, left.signal))
      else await sendFile(request, response, url, bound, keys)
    } catch (error) {
      sendError(response, error)
    }
  }
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address === 'object' && address !== null) bound = address.port
  return {
    url: `http://127.0.0.1:${bound}/?token=${keys.token}`,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function sendFile(
  { method }: IncomingMessage,
  response: ServerResponse,
  url: URL,
  port: number,
  keys: Keys,
): Promise<void> {
  const file = await staticFile(url.pathname)
  if (file === null) throw notFound()
  if (method !== 'GET') throw wrongMethod('GET')
  const cookie = `${cookieName(port)}=${keys.pageKey}; HttpOnly; SameSite=Strict; Path=/`
  response.writeHead(200, {
    'content-type': file.type,
    'content-length': file.bytes.length,
    ...(hasToken(url, keys) ? { 'set-cookie': cookie } : {}),
  })
  response.end(file.bytes)
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  // An absolute URL would be one for a proxy.
  if (!url.startsWith('/') || !URL.canParse(`http://loopback${url}`)) throw badRequest('Not a path')
  return new URL(`http://loopback${url}`)
}
