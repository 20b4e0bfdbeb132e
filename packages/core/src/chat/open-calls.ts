/** Calls that wait for their results, by the id that a result refers to. Ids may repeat. */
export class OpenCalls<Call> {
  /** Per id, the messages with calls of that id, the latest last. */
  readonly #messages = new Map<string, Call[][]>()

  /** Adds the calls of one message. */
  add(calls: readonly { readonly key: string; readonly call: Call }[]): void {
    const ofMessage = new Map<string, Call[]>()
    for (const { key, call } of calls) {
      const known = ofMessage.get(key)
      if (known === undefined) ofMessage.set(key, [call])
      else known.push(call)
    }
    for (const [key, added] of ofMessage) {
      // Taken from the end.
      added.reverse()
      const known = this.#messages.get(key)
      if (known === undefined) this.#messages.set(key, [added])
      else known.push(added)
    }
  }

  /** The call that a result answers: the first open one in the latest message that has one, as results come in order. */
  take(key: string): Call | undefined {
    const messages = this.#messages.get(key)
    const latest = messages?.at(-1)
    const call = latest?.pop()
    if (latest?.length === 0) messages?.pop()
    if (messages?.length === 0) this.#messages.delete(key)
    return call
  }

  find(isWanted: (call: Call) => boolean): Call | undefined {
    for (const messages of this.#messages.values()) {
      for (const calls of messages) {
        const found = calls.find(isWanted)
        if (found !== undefined) return found
      }
    }
    return undefined
  }

  clear(): void {
    this.#messages.clear()
  }
}
