import { count } from '../terminal/cli.js'
import type { MergeResult } from '@turnstore/core'

/** Counts sessions that were added, grown or unchanged, and those with contradictions. */
export class MergeCounts {
  readonly members = { added: 0, grown: 0, unchanged: 0, contradicting: 0 }

  add({ outcome, contradictions }: MergeResult): void {
    this.members[outcome]++
    if (contradictions.length > 0) this.members.contradicting++
  }

  /** The summary line of a run. `others`: counts of sessions that were not merged, by reason. */
  sentence(others: Readonly<Record<string, number>>): string {
    const { added, grown, unchanged, contradicting } = this.members
    const rest = Object.entries(others).filter(([, number]) => number > 0)
    const total = rest.reduce((sum, [, number]) => sum + number, added + grown + unchanged)
    const parts = [
      `${added} added`,
      `${grown} grown`,
      `${unchanged} unchanged`,
      ...rest.map(([name, number]) => `${number} ${name}`),
    ]
    const note = contradicting === 0 ? '' : ` (${contradicting} with contradictions)`
    return `${count(total, 'session')}: ${parts.join(', ')}${note}`
  }
}
