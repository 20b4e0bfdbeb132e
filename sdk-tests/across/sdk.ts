import type { SessionStore } from '@turnstore/core'
import type { Conversation } from './conversations.ts'

/** An agent SDK over a store, as the tests use it. */
export interface Sdk {
  readonly name: string
  /** Of its items. */
  readonly format: string
  /** Records a conversation by the package's own methods, and returns the id of the session. */
  record(store: SessionStore, conversation: Conversation, index: number): Promise<string>
  /** What the SDK reads of a session. */
  load(store: SessionStore, sessionId: string): Promise<readonly object[]>
  /**
   * Asks one more question, which takes a call to answer.
   * @returns the session that has the answer, and what the model was asked, each time
   */
  goOn(store: SessionStore, sessionId: string, prompt: string, index: number): Promise<Continued>
}

export interface Continued {
  readonly sessionId: string
  readonly asked: readonly (readonly object[])[]
  /** What the model would have refused. */
  readonly faults: readonly string[]
}
