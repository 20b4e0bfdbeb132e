import type { JsonObject, TurnRecord } from '@turnstore/core'
import { turnsFromItems } from '@turnstore/core/adapter'
import { type Dialect, readerOf, type Reading } from './middle/dialect.js'
import { unreadText } from './middle/unread-text.js'
import { addUsage, type Usage } from './middle/usage.js'
import type { ToTurnsOptions } from './format.js'

/** Converts messages of one format. Each becomes an item of its turn, exactly as it was. */
export function toTurns(dialect: Dialect, messages: readonly unknown[], options: ToTurnsOptions = {}): TurnRecord[] {
  const readings: Facts[] = []
  const readMessage = readerOf(dialect)
  const turns = turnsFromItems(
    messages,
    {
      format: dialect.name,
      read(message, tell) {
        let isTold = false
        const reading = readMessage(message, {
          tell(problem, loss) {
            isTold = true
            tell(problem, loss)
          },
          lose() {},
        })
        // Facts stand beside what is said. Of a message that says nothing, they are all there is.
        const facts = saysNothing(reading) ? noFacts : dialect.facts
        const path = isTold ? null : unreadText(message, reading, facts)
        if (path !== null) tell(`has text in ${path} that was not read; kept as it is`)
        readings.push(reading)
        return reading.said
      },
    },
    options,
  )
  let at = 0
  const counted = new Map<string, Counted>()
  return turns.map((turn, index) => {
    const timed = withFacts(turn, readings.slice(at, (at += turn.items.length)), counted)
    // Nobody says that the last turn has ended: more messages may come.
    return index === turns.length - 1 ? { ...timed, endedAt: null } : timed
  })
}

const noFacts: ReadonlySet<string> = new Set()

function saysNothing({ said, thoughts = [], asides = [] }: Reading): boolean {
  return said.length === 0 && thoughts.length === 0 && asides.length === 0
}

type Facts = Pick<Reading, 'time' | 'model' | 'usage' | 'usageKey' | 'isStop'>

interface Counted {
  readonly turnId: string
  readonly usage: Usage
}

/** When a turn happened, whether it was stopped, which model answered, and what it took. */
function withFacts(turn: TurnRecord, facts: readonly Facts[], counted: Map<string, Counted>): TurnRecord {
  const times = facts.flatMap(({ time }) => (time === undefined ? [] : [time]))
  const model = facts.find(each => each.model !== undefined)?.model
  let sum: Usage | undefined
  const last = new Map<string, Usage>()
  for (const { usage, usageKey } of facts) {
    if (usage === undefined) continue
    if (usageKey === undefined) sum = addUsage(sum, usage)
    else if (!counted.has(usageKey) || counted.get(usageKey)?.turnId === turn.turnId) {
      counted.set(usageKey, { turnId: turn.turnId, usage })
      last.set(usageKey, usage)
    }
  }
  for (const usage of last.values()) sum = addUsage(sum, usage)
  const metadata: JsonObject = {
    ...turn.metadata,
    ...(model === undefined ? {} : { model }),
    ...(sum === undefined ? {} : { usage: { ...sum } }),
  }
  const status = facts.some(({ isStop }) => isStop) ? 'cancelled' : turn.status
  const endedAt = status === 'running' ? null : (times.at(-1) ?? null)
  return { ...turn, status, startedAt: times[0] ?? '', endedAt, metadata }
}
