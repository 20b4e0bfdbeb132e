import { randomBytes } from 'node:crypto'

const origin = randomBytes(8).toString('base64url')
let tokens = 0

/** A token that nothing else has: of an operation through all its repetitions, of an open turn, of a generation. */
export function newToken(): string {
  return `${origin}${(tokens++).toString(36)}`
}
