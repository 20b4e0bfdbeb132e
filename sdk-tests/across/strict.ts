/** A call, or a result, in the order of what a model is asked; null for any other message. */
export type Event = { readonly call: string } | { readonly result: string } | null

/** What a provider refuses: each call has an id of its own, and is answered once, after it and before anything else. */
export function faultsOfCalls(events: readonly Event[]): string[] {
  const open = new Set<string>()
  const ids = new Set<string>()
  const faults: string[] = []
  for (const event of events) {
    if (event === null) {
      if (open.size > 0) faults.push('a message comes before the result of a call')
    } else if ('call' in event) {
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(event.call)) faults.push(`the id ${event.call} is refused`)
      if (ids.has(event.call)) faults.push(`the id ${event.call} is there twice`)
      ids.add(event.call)
      open.add(event.call)
    } else if (!open.delete(event.result)) faults.push(`the result of ${event.result} has no call, or is the second`)
  }
  return open.size === 0 ? faults : [...faults, `no result of ${[...open].join(', ')}`]
}
