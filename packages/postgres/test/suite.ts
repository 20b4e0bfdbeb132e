import { type GroupName, sessionStoreSuite } from '@turnstore/conformance'
import { type PostgresPool, PostgresSessionStore } from '@turnstore/postgres'
import { afterAll, describe, it } from 'vitest'
import { damages } from './damages.js'
import { Schemas } from './schemas.js'

/** Runs the conformance suite. Each case has its own schema. */
export async function runConformanceSuite(
  name: string,
  { url, pool }: { readonly url: string; readonly pool?: PostgresPool },
  how: { readonly groups?: readonly GroupName[]; readonly thorough?: boolean },
): Promise<void> {
  const names = new WeakMap<PostgresSessionStore, string>()
  const schemas = new Schemas(url)
  afterAll(() => schemas.close())
  const open = (schema: string): PostgresSessionStore => {
    const store = new PostgresSessionStore({ ...(pool === undefined ? { url } : { pool }), schema })
    names.set(store, schema)
    return store
  }
  const schemaOf = (store: PostgresSessionStore): string => names.get(store) ?? ''

  await sessionStoreSuite({
    describe,
    it,
    name,
    ...how,
    open: () => open(schemas.take()),
    reopen: store => open(schemaOf(store)),
    damages: Object.fromEntries(
      Object.entries(damages).map(([kind, sql]) => [
        kind,
        async (store: PostgresSessionStore, sessionId: string): Promise<void> => {
          const statement = sql.replaceAll(/\{(\w+)\}/g, (_, table: string) => schemas.table(schemaOf(store), table))
          await schemas.admin.query(statement, [sessionId])
        },
      ]),
    ),
    child: store => ({ module: new URL('open-store.mjs', import.meta.url), args: { url, schema: schemaOf(store) } }),
    destroy: store => schemas.giveBack(schemaOf(store)),
  })
}
