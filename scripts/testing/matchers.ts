// Asymmetric matchers as values that no type takes for anything.
import { expect } from 'vitest'

export const containing = (text: string): unknown => expect.stringContaining(text)
export const matching = (pattern: RegExp | string): unknown => expect.stringMatching(pattern)
