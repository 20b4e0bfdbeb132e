import { isJsonObject } from '@turnstore/core/adapter'
import type { Message, Part } from './message.js'
import { isToolPart } from './tool-part.js'

/** The message with the state of calls that the user denied, once the model was told. The SDK says it in a stream only. */
export function withDenials(message: Message): Message {
  const lastStep = message.parts.findLastIndex(({ type }) => type === 'step-start')
  const isTold = (part: Part, index: number): boolean => index < lastStep && isDenied(part)
  if (!message.parts.some(isTold)) return message
  const parts = message.parts.map((part, index) => (isTold(part, index) ? { ...part, state: 'output-denied' } : part))
  return { ...message, parts }
}

function isDenied(part: Part): boolean {
  const { state, approval } = part
  return isToolPart(part) && state === 'approval-responded' && isJsonObject(approval) && approval.approved === false
}
