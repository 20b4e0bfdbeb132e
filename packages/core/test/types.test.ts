import { expectTypeOf, it } from 'vitest'
import type {
  ChatMessage,
  JsonObject,
  LastTurn,
  RecordedTurn,
  SessionManager,
  SessionPage,
  SessionRecord,
  SessionStore,
  SessionSummary,
  ToolCallRecord,
  TurnRecord,
} from '../src/index.ts'

/** A client's own types, as an SDK has them: interfaces, without an index signature. */
interface ClientMessage {
  role: 'user'
  content: string | { type: 'text'; text: string }[]
}

it('statuses are known words, and any other text', () => {
  expectTypeOf<'interrupted'>().toExtend<TurnRecord['status']>()
  expectTypeOf<'of my own'>().toExtend<TurnRecord['status']>()
  expectTypeOf<TurnRecord['status']>().toExtend<string>()
  expectTypeOf<'timeout'>().toExtend<ToolCallRecord['status']>()
  expectTypeOf<LastTurn['status']>().toEqualTypeOf<TurnRecord['status']>()
})

it('messages are typed for a model, and plain where they are exact', () => {
  expectTypeOf<SessionManager['recordMessages']>().parameter(1).toEqualTypeOf<readonly object[]>()
  expectTypeOf<readonly ClientMessage[]>().toExtend<Parameters<SessionManager['recordMessages']>[1]>()
  const read = (manager: SessionManager) => manager.getMessages('s', { last: 1 })
  expectTypeOf(read).returns.resolves.toEqualTypeOf<ChatMessage[]>()
  const exact = (manager: SessionManager) => manager.getMessages('s', { exact: true })
  expectTypeOf(exact).returns.resolves.toEqualTypeOf<JsonObject[]>()
})

it('ids of what was there already are lists everywhere, and signals of any runtime fit', () => {
  expectTypeOf<RecordedTurn['deduplicated']>().toEqualTypeOf<string[]>()
  const load = (store: SessionStore, signal: AbortSignal) => store.loadSession('s', { signal })
  expectTypeOf(load).parameter(1).toEqualTypeOf<AbortSignal>()
})

it('metadata has the type of the manager, where it is set and where it is read', () => {
  interface Chat {
    customer: string
    title?: string
  }
  type Manager = SessionManager<Chat>
  const start = (manager: Manager) => manager.startSession({ metadata: { customer: 'c' } })
  expectTypeOf(start).returns.resolves.toEqualTypeOf<SessionRecord<Chat>>()
  expectTypeOf<Manager['getSession']>().returns.resolves.toEqualTypeOf<SessionRecord<Chat> | null>()
  expectTypeOf<Manager['getSummary']>().returns.resolves.toEqualTypeOf<SessionSummary<Chat> | null>()
  expectTypeOf<Manager['querySessions']>().returns.resolves.toEqualTypeOf<SessionPage<Chat>>()
  expectTypeOf<Manager['sessions']>().returns.toEqualTypeOf<AsyncIterable<SessionSummary<Chat>>>()
  expectTypeOf<Manager['forkSession']>().returns.resolves.toEqualTypeOf<SessionRecord<Chat>>()
  type Update = Parameters<Manager['updateSession']>[1]
  expectTypeOf<{ metadata: { title: string }; unsetMetadata: ['title'] }>().toExtend<Update>()
  expectTypeOf<{ metadata: { title: number } }>().not.toExtend<Update>()
  expectTypeOf<{ unsetMetadata: ['titel'] }>().not.toExtend<Update>()
})

it('without a type, metadata is any JSON', () => {
  expectTypeOf<SessionRecord['metadata']>().toEqualTypeOf<JsonObject>()
  expectTypeOf<SessionManager['getSession']>().returns.resolves.toEqualTypeOf<SessionRecord | null>()
  expectTypeOf<{ metadata: JsonObject; unsetMetadata: string[] }>().toExtend<
    Parameters<SessionManager['updateSession']>[1]
  >()
})
