import { count, figure } from '../terminal/figure.js'
import type { MergeResult } from '@turnstore/core'

/** Counts sessions that were added, grown or unchanged, and those with contradictions. */
export class MergeCounts {
  readonly members = { added: 0, grown: 0, unchanged: 0, contradicting: 0 }

  add({ outcome, contradictions }: MergeResult): void {
    this.members[outcome]++
    if (contradictions.length > 0) this.members.contradicting++
  }

  get isEmpty(): boolean {
    return Object.values(this.members).every(number => number === 0)
  }

  /** The summary line of a run. `others`: counts of sessions that were not merged, by reason. */
  sentence(others: Readonly<Record<string, number>>): string {
    const { added, grown, unchanged, contradicting } = this.members
    const rest = Object.entries(others).filter(([, number]) => number > 0)
    const total = rest.reduce((sum, [, number]) => sum + number, added + grown + unchanged)
    const parts = [
      `${figure(added)} added`,
      `${figure(grown)} grown`,
      `${figure(unchanged)} unchanged`,
      ...rest.map(([name, number]) => `${figure(number)} ${name}`),
    ]
    const note = contradicting === 0 ? '' : ` (${figure(contradicting)} with contradictions)`
    return `${count(total, 'session')}: ${parts.join(', ')}${note}`
  }
}
