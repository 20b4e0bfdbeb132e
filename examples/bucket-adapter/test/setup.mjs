import { randomUUID } from 'node:crypto'
import { startService } from '../service/service.mjs'
import openStore from './open-store.mjs'

/** @type {() => Promise<import('@turnstore/conformance').StoreSetup>} */
export default async () => {
  const service = await startService()
  const urls = new WeakMap()
  const open = url => {
    const store = openStore(url)
    urls.set(store, url)
    return store
  }
  const put = body => (store, id) => fetch(`${urls.get(store)}/sessions/${id}.json`, { method: 'PUT', body })
  return {
    name: 'BucketSessionStore',
    open: () => open(`${service}/${randomUUID()}`),
    reopen: store => open(urls.get(store)),
    child: store => ({ module: new URL('open-store.mjs', import.meta.url), args: urls.get(store) }),
    damages: {
      'an object that is not JSON': put('{"write":'),
      'the object of another session': put('{"write":"w","session":{"session_id":"other"}}'),
    },
    destroy: store => fetch(urls.get(store), { method: 'DELETE' }),
  }
}
