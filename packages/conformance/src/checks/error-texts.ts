import { inspect } from 'node:util'

/** Every part of an error and its causes that a logger may print, with names. */
export function shownBy(error: unknown): [where: string, text: string][] {
  const shown: [string, string][] = []
  const seen = new Set<unknown>()
  for (let each = error; each instanceof Error && !seen.has(each); each = each.cause) {
    const { message, stack = '' } = each
    seen.add(each)
    const members = Object.getOwnPropertyNames(each).filter(name => name !== 'stack')
    shown.push(
      ['message', message],
      ['stack', stack],
      ['members', members.map(name => `${name}: ${inspected(Reflect.get(each, name))}`).join('\n')],
      ['inspected error', inspected(each)],
    )
  }
  shown.push(['JSON', JSON.stringify(error) ?? ''])
  return shown
}

function inspected(value: unknown): string {
  return inspect(value, { depth: Infinity, showHidden: true })
}
