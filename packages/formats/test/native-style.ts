import type { JsonObject } from '@turnstore/core'
import { type Exchange, PICTURE, type Step, type Talk } from './conversations.ts'

/*
 * A conversation as each SDK writes it, from the types of the packages that docs/formats.md names. Written apart from
 * what the package writes.
 */

export interface Style {
  readonly system?: (text: string) => JsonObject[]
  readonly user: (turn: Exchange, place: string) => JsonObject[]
  readonly step: (step: Step, place: string) => JsonObject[]
  readonly answer: (text: string, place: string) => JsonObject[]
  /** Whether it says that a call failed. */
  readonly saysFailure?: boolean
  /** The text of a message comes after its calls, and so answers. */
  readonly textIsLast?: boolean
  readonly hasCalls?: boolean
  readonly hasPictures?: boolean
  /** All steps and the answer are one message. */
  readonly joins?: (messages: JsonObject[], place: string) => JsonObject[]
}

export interface Native extends Style {
  readonly name: string
  readonly write: (talk: Talk) => JsonObject[]
}

export function native(name: string, style: Style): Native {
  return {
    name,
    ...style,
    write: ({ system, turns }) => [
      ...(system === null ? [] : (style.system?.(system) ?? [])),
      ...turns.flatMap((turn, index) => {
        const place = `m${index}`
        const said = [
          ...turn.steps.flatMap((step, at) => style.step(step, `${place}-${at}`)),
          ...(turn.answer === null ? [] : style.answer(turn.answer, `${place}-a`)),
        ]
        return [...style.user(turn, place), ...(style.joins?.(said, `${place}-said`) ?? said)]
      }),
    ],
  }
}

export const dataUrl = `data:image/png;base64,${PICTURE}`

export function texts({ text }: Step): string[] {
  return text === null ? [] : [text]
}

export function thoughts({ thought }: Step): string[] {
  return thought === null ? [] : [thought]
}
