import type { SessionSummary } from '@turnstore/core'

/** The title of a session, or '' if it has none. */
export function titleOf({ metadata }: Pick<SessionSummary, 'metadata'>): string {
  return typeof metadata.title === 'string' ? metadata.title : ''
}
