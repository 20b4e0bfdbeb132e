import type { SessionQuery } from '@turnstore/core'
import { readConditions } from '../terminal/metadata-values.js'
import { badRequest } from './refusal.js'

/** @throws {Refusal} */
export function required(parameters: URLSearchParams, name: string): string {
  const value = parameters.get(name)
  if (value === null) throw badRequest(`${name} is missing`)
  return value
}

/** @throws {Refusal} */
export function wholeNumber(parameters: URLSearchParams, name: string, otherwise: number, most: number): number {
  const text = parameters.get(name)
  if (text === null) return otherwise
  const number = Number(text)
  if (!/^\d{1,15}$/.test(text) || number > most) throw badRequest(`${name} must be a whole number of at most ${most}`)
  return number
}

/** The filters of a listing, a search or an export. An empty one counts as none. */
export function filtersIn(parameters: URLSearchParams): SessionQuery {
  const text = (name: string): string | undefined => parameters.get(name) || undefined
  const [workspaceId, agentId, lastTurnStatus, ended] = ['workspace', 'agent', 'status', 'ended'].map(text)
  const [parentSessionId, cursor] = ['parent', 'cursor'].map(text)
  const where = parameters.getAll('where').filter(condition => condition !== '')
  return {
    ...(workspaceId === undefined ? {} : { workspaceId }),
    ...(agentId === undefined ? {} : { agentId }),
    ...(lastTurnStatus === undefined ? {} : { lastTurnStatus }),
    ...(ended === undefined ? {} : { ended: ended === 'yes' }),
    ...(parentSessionId === undefined ? {} : { parentSessionId }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(where.length === 0 ? {} : { metadata: conditionsIn(where) }),
  }
}

function conditionsIn(where: readonly string[]): NonNullable<SessionQuery['metadata']> {
  try {
    return readConditions('Metadata', where)
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : 'Metadata must be key=text')
  }
}
