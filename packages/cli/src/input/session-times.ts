import type { SessionRecord, TurnRecord } from '@turnstore/core'
import { laterTime } from '@turnstore/core/adapter'

/** The times of a session: as the source says, or else those of its turns. */
export function timesOf(
  turns: readonly TurnRecord[],
  createdAt: string = turns.find(({ startedAt }) => startedAt !== '')?.startedAt ?? '',
  updatedAt: string = turns.reduce(
    (latest, turn) => laterTime(latest, laterTime(turn.startedAt, turn.endedAt ?? '')),
    '',
  ),
): Pick<SessionRecord, 'createdAt' | 'updatedAt'> {
  return { createdAt, updatedAt }
}
