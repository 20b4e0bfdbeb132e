import type { FormatSession } from '../src/index.ts'
import { named } from './told.ts'

export interface ReadFile {
  readonly sessions: FormatSession[]
  /** The sentences, each once, with how often it was told. */
  readonly problems: ReadonlyMap<string, number>
}

export function readFile(format: string, file: unknown): ReadFile {
  const problems = new Map<string, number>()
  const sessions =
    named(format).toSessions?.(file, {
      onProblem: ({ message }) => void problems.set(message, (problems.get(message) ?? 0) + 1),
    }) ?? []
  return { sessions, problems }
}

/** Prompt and response of each turn, for what a test is about. */
export function talkOf(session: FormatSession | undefined): (string | null)[][] {
  return session?.turns.map(({ prompt, responseContent }) => [prompt, responseContent]) ?? []
}

export function callsOf(session: FormatSession | undefined): unknown[] {
  return (
    session?.turns.flatMap(({ toolCalls }) =>
      toolCalls.map(call => ({ [call.toolName]: call.arguments, [call.status]: call.error ?? call.result })),
    ) ?? []
  )
}

export function usageOf(session: FormatSession | undefined): unknown[] {
  return session?.turns.map(({ metadata }) => metadata.usage) ?? []
}
