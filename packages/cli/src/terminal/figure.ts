/** `2,000`. */
export function figure(number: number): string {
  return number.toLocaleString('en-US')
}

/** `1 session`, `2,000 sessions`. */
export function count(number: number, noun: string): string {
  return `${figure(number)} ${noun}${number === 1 ? '' : 's'}`
}
