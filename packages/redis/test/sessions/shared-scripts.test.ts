import { createHash, randomUUID } from 'node:crypto'
import { isTurnstoreError } from '@turnstore/core'
import { type RedisClient, RedisSessionStore } from '@turnstore/redis'
import { Redis } from 'ioredis'
import { afterEach, expect, inject, it } from 'vitest'
import { luaSources } from '../../dist/lua/lua-sources.js'

const { server } = inject('addresses')

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

const changeScript = createHash('sha1').update(luaSources.change).digest('hex')

it('changes of a session that wait at the same time share scripts, one at a time', async () => {
  const client = new Redis(server)
  opened.push(() => client.disconnect())
  // Loaded before, so that each call is one command.
  await client.script('LOAD', luaSources.change)
  let running = 0
  let mostRunning = 0
  let scripts = 0
  let duringTheSecond = (): void => {}
  const counting = new Proxy<RedisClient>(client, {
    get(target, member) {
      if (member === 'call') {
        return async (command: string, args: (string | number)[]) => {
          if (args[0] !== changeScript) return target.call(command, args)
          scripts++
          mostRunning = Math.max(mostRunning, ++running)
          try {
            if (scripts === 2) {
              duringTheSecond()
              throw Object.assign(new Error('ERR it fails'), { name: 'ReplyError' })
            }
            return await target.call(command, args)
          } finally {
            running--
          }
        }
      }
      const value: unknown = Reflect.get(target, member)
      return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value
    },
  })
  const store = new RedisSessionStore({ client: counting, keyPrefix: `${randomUUID()}:` })
  opened.push(() => store.close())
  await store.saveSession({ sessionId: 's' })
  const append = (index: number): Promise<number | string> =>
    store.changeSession('s', { appendTurns: [{ turnId: `t${index}` }] }).then(
      ({ turnCount }) => turnCount,
      (error: unknown) => failureOf(error),
    )
  // A change that comes while a script runs joins the next one.
  const late: Promise<number | string>[] = []
  duringTheSecond = () => late.push(append(100), append(101))
  const outcomes = await Promise.all(Array.from({ length: 100 }, (_, index) => append(index)))
  // A script that fails rejects only its own changes.
  expect(outcomes.slice(0, 64)).toEqual(Array.from({ length: 64 }, (_, index) => index + 1))
  expect(new Set(outcomes.slice(64))).toEqual(new Set(['STORE_UNAVAILABLE not-stored']))
  expect(await Promise.all(late)).toEqual([65, 66])
  expect([mostRunning, scripts]).toEqual([1, 3])
})

function failureOf(error: unknown): string {
  return isTurnstoreError(error) ? `${error.code} ${error.outcome}` : String(error)
}
