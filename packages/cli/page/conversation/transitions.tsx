import type { AgentTransitionRecord } from '@turnstore/core'
import { Line } from '../widgets/small.tsx'
import { longTime } from '../widgets/times.ts'

export function Transitions({ transitions }: { readonly transitions: readonly AgentTransitionRecord[] }) {
  if (transitions.length === 0) return null
  return (
    <ul class="transitions" aria-label="Agent transitions">
      {transitions.map(({ fromAgent, toAgent, reason, timestamp }, index) => (
        <li key={index}>
          <span class="transition-agents">
            <Line text={fromAgent ?? 'no agent'} /> <span aria-label="to">→</span> <Line text={toAgent} />
          </span>
          {reason !== null && <Line class="transition-reason" text={reason} />}
          {timestamp !== '' && <time dateTime={timestamp}>{longTime(timestamp)}</time>}
        </li>
      ))}
    </ul>
  )
}
