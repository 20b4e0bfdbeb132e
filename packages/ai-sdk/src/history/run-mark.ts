import type { JsonObject, TurnRecord } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { FORMAT } from '../messages/message.js'

/** In the metadata of a turn that a run answers. */
export interface RunMark {
  /** The run that may write to the turn. Whoever takes the turn over sets another, or none. */
  readonly runId: string | null
  /** The id of the message that the run writes. */
  readonly messageId: string
  /** The run has ended, and the user has to answer: approvals, or tools of the browser. */
  readonly waits?: boolean
}

/** Whether a run answers the turn, or has died meanwhile. */
export function isUnderWay(turn: Pick<TurnRecord, 'metadata' | 'status'>): boolean {
  const mark = markOf(turn)
  return turn.status === 'running' && mark !== null && mark.runId !== null && mark.waits !== true
}

export function markOf({ metadata }: Pick<TurnRecord, 'metadata'>): RunMark | null {
  const noted = metadata[FORMAT]
  if (!isJsonObject(noted) || typeof noted.messageId !== 'string') return null
  const { runId, messageId, waits } = noted
  return { runId: typeof runId === 'string' ? runId : null, messageId, ...(waits === true ? { waits } : {}) }
}

export function marked({ runId, ...others }: RunMark): JsonObject {
  return { [FORMAT]: { ...(runId === null ? {} : { runId }), ...others } }
}

const STEP = 'step:'

/** The id of the item with a step of a run, until the run ends and the step is a part of a message. */
export function stepId(runId: string, step: number): string {
  return `${STEP}${runId}:${step}`
}

export function isStepId(itemId: string): boolean {
  return itemId.startsWith(STEP)
}
