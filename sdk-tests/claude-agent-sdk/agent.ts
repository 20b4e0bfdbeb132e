import { createRequire } from 'node:module'
import { type Options, query, type SDKMessage } from '@anthropic-ai/claude-agent-sdk'
import { newFolder } from '../stores.ts'

const requireFromSdk = createRequire(import.meta.url)

/** The program of the SDK for this platform, which comes as a package of its own; null if there is none. */
export const program: string | null =
  ['', '-musl'].map(libc => found(`-${process.platform}-${process.arch}${libc}`)).find(path => path !== null) ?? null

function found(suffix: string): string | null {
  try {
    return requireFromSdk.resolve(
      `@anthropic-ai/claude-agent-sdk${suffix}/claude${process.platform === 'win32' ? '.exe' : ''}`,
    )
  } catch {
    return null
  }
}

/** For the names of tests that need the program. */
export const withProgram: string =
  program === null
    ? `cannot run: the SDK has no program for ${process.platform}-${process.arch}`
    : 'the program of the SDK'

/** The environment of an agent that knows nothing: its configuration folder is empty. */
export function emptyMachine(url: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: newFolder(),
    CLAUDE_CONFIG_DIR: newFolder(),
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: 'sk-ant-none',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_AUTOUPDATER: '1',
    IS_SANDBOX: '1',
  }
}

export const always: Pick<
  Options,
  'model' | 'permissionMode' | 'allowDangerouslySkipPermissions' | 'settingSources' | 'sessionStoreFlush'
> = {
  model: 'claude-sonnet-4-5',
  permissionMode: 'bypassPermissions',
  allowDangerouslySkipPermissions: true,
  settingSources: [],
  sessionStoreFlush: 'eager',
}

export interface Answered {
  readonly sessionId: string
  readonly result: string
  /** What could not be stored. */
  readonly mirrorErrors: readonly string[]
}

/** Lets an agent on an empty machine answer. */
export async function ask(prompt: string, url: string, options: Options): Promise<Answered> {
  let sessionId = ''
  let result = ''
  const mirrorErrors: string[] = []
  for await (const message of query({ prompt, options: { ...always, env: emptyMachine(url), ...options } })) {
    sessionId = message.session_id ?? sessionId
    result = resultOf(message) ?? result
    if (message.type === 'system' && message.subtype === 'mirror_error') mirrorErrors.push(JSON.stringify(message))
  }
  return { sessionId, result, mirrorErrors }
}

function resultOf(message: SDKMessage): string | null {
  if (message.type !== 'result') return null
  return message.subtype === 'success' ? message.result : message.subtype
}

/** The key of the projects in a folder, as the SDK makes it. */
export function projectOf(cwd: string): string {
  return cwd.replaceAll(/[^a-zA-Z0-9]/g, '-')
}
