import { styleText } from 'node:util'
import type { Surroundings } from './surroundings.js'

export type Style = Parameters<typeof styleText>[0]

/** Styles text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string

/** Colours for a terminal that has them, unless NO_COLOR is set. */
export function paintFor(stream: Surroundings['stdout'], env: Surroundings['env']): Paint {
  const hasColors = stream.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
  return (style, text) => (hasColors && text !== '' ? styleText(style, text, { validateStream: false }) : text)
}
