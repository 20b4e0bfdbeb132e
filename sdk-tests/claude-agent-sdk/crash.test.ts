import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { TurnstoreSessionStore } from '@turnstore/claude-agent-sdk'
import { SessionManager } from '@turnstore/core'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { Child } from '../../scripts/testing/child.ts'
import { containing, matching } from '../../scripts/testing/matchers.ts'
import { momentsOf, thoroughness } from '../../scripts/testing/machine.ts'
import { newFolder } from '../stores.ts'
import { always, emptyMachine, program, projectOf, withProgram } from './agent.ts'
import { type Answer, type FakeApi, resultsIn, says, startApi, textsIn, wants } from './fake-api.ts'

/** 20 in all, and 200 in the soak test. */
const KILLS = 20

const cwd = fileURLToPath(new URL('../', import.meta.url))

/** Steps of three parallel calls each, until the first life is killed. The life after it asks for no more. */
const steps: Answer = messages => {
  const results = resultsIn(messages)
  if (textsIn(messages).includes('Go on.')) return [says(`Done with ${results.size}.`)]
  const step = Math.floor(results.size / 3)
  return [
    says(`Step ${step}.`),
    ...[0, 1, 2].map(call => wants(`s${step}c${call}`, 'mcp__tools__act', { ms: call === 2 ? 150 : 5 * call })),
  ]
}

/** An agent that tells what was acknowledged: each batch of entries by their uuids, in the order of the calls. */
const life = (folder: string, project: string, api: FakeApi, prompt: string, resume: string): string => `
  import { createSdkMcpServer, foldSessionSummary, query, tool } from '@anthropic-ai/claude-agent-sdk'
  import { TurnstoreSessionStore } from '@turnstore/claude-agent-sdk'
  import { SqliteSessionStore } from '@turnstore/sqlite'
  import { z } from 'zod'
  const store = new SqliteSessionStore(${JSON.stringify(join(folder, 'sessions.db'))})
  const sessionStore = new TurnstoreSessionStore({ store, foldSessionSummary })
  const acknowledge = sessionStore.append.bind(sessionStore)
  sessionStore.append = async (key, entries) => {
    await acknowledge(key, entries)
    if (key.subpath === undefined) say('stored ' + key.sessionId + ' ' + JSON.stringify(entries))
  }
  const annotations = { readOnlyHint: true }
  const act = tool('act', 'Acts', { ms: z.number() }, async ({ ms }) => {
    say('begun')
    await sleep(ms)
    say('answered')
    return { content: [{ type: 'text', text: 'acted ' + ms }] }
  }, { annotations })
  const options = {
    ...${JSON.stringify(always)},
    env: ${JSON.stringify(emptyMachine(api.url))},
    cwd: ${JSON.stringify(project)},
    sessionStore,
    mcpServers: { tools: createSdkMcpServer({ name: 'tools', tools: [act] }) },
    ${resume === '' ? '' : `resume: ${JSON.stringify(resume)},`}
  }
  for await (const message of query({ prompt: ${JSON.stringify(prompt)}, options })) {
    if (message.type === 'system' && message.subtype === 'mirror_error') say('mirror_error ' + JSON.stringify(message))
    if (message.type === 'result') say('result ' + (message.result ?? message.subtype))
  }
  await store.close()`

/** The processes that a process has started, which outlive it. */
function childrenOf(pid: number): number[] {
  const tasks = readdirSync(`/proc/${pid}/task`)
  return tasks
    .flatMap(task => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' '))
    .filter(each => each !== '')
    .map(Number)
}

/** Kills the agent, and then the program that it started. */
async function killWithProgram(child: Child): Promise<void> {
  const { pid } = child.process
  const programs = pid === undefined || child.hasEnded ? [] : childrenOf(pid)
  await child.kill()
  for (const each of programs) {
    try {
      process.kill(each, 'SIGKILL')
    } catch {
      // It has ended with its parent.
    }
  }
}

interface Heard {
  readonly sessionId: string
  readonly entries: readonly unknown[]
}

/** What the lines of a life say. */
function heard(lines: readonly string[]): Heard {
  const stored = lines.filter(line => line.startsWith('stored '))
  const entries = stored.flatMap((line): unknown[] =>
    JSON.parse(line.slice(line.indexOf('[') === -1 ? 0 : line.indexOf(' [') + 1)),
  )
  return { sessionId: stored[0]?.split(' ')[1] ?? '', entries }
}

describe.skipIf(program === null || process.platform !== 'linux')(
  `${withProgram}, killed while three tools run`,
  () => {
    it(
      'has lost and doubled nothing that was acknowledged, and goes on with an empty configuration folder',
      async () => {
        const moments = momentsOf(7)
        let begun = 0
        for (let round = 0; round < KILLS * thoroughness; round++) {
          const api = await startApi(steps)
          const folder = newFolder()
          const project = newFolder()
          const first = Child.run(life(folder, project, api, 'Act.', ''), { cwd })
          const lines: string[] = []
          const reading = (async () => {
            for (let line = await first.line(); line !== null; line = await first.line()) lines.push(line)
          })()
          // Most of the time while two of three have answered; sometimes at any moment.
          const step = Math.floor(moments.next().value * 3)
          const answered = (): number => lines.filter(line => line === 'answered').length
          const isAnyMoment = round % 4 === 3
          const deadline = Date.now() + 30_000
          const enough = isAnyMoment ? 0 : 3 * step + 2
          const isReached = (): boolean =>
            isAnyMoment || (answered() >= enough && lines.some(line => line.startsWith('stored ')))
          while (!isReached() && !first.hasEnded && Date.now() < deadline) await sleep(1)
          await sleep(isAnyMoment ? 300 + moments.next().value * 1_500 : moments.next().value * 120)
          expect({ hasEnded: first.hasEnded, errors: first.errors }).toEqual({ hasEnded: false, errors: '' })
          await killWithProgram(first)
          await reading
          const before = heard(lines)
          if (before.entries.length > 0) begun++
          const backend = new SqliteSessionStore(join(folder, 'sessions.db'))
          const sessionStore = new TurnstoreSessionStore({ store: backend })
          const key = { projectKey: projectOf(project), sessionId: before.sessionId }
          const stored = before.sessionId === '' ? [] : ((await sessionStore.load(key)) ?? [])
          // One batch may have been stored and not acknowledged.
          expect(stored.slice(0, before.entries.length)).toEqual(before.entries)
          expectEachOnce(stored)

          const canResume = stored.some(({ type }) => type === 'user')
          const second = Child.run(life(folder, project, api, 'Go on.', canResume ? before.sessionId : ''), { cwd })
          const rest = await second.rest()
          expect({ round, errors: second.errors, last: rest.findLast(line => line.startsWith('result')) }).toEqual({
            round,
            errors: '',
            last: matching(/^result Done with \d+\.$/),
          })
          expect(api.refused).toEqual([])
          expect(rest.filter(line => line.startsWith('mirror_error'))).toEqual([])
          const after = heard(rest)
          const all = (await sessionStore.load({ ...key, sessionId: after.sessionId })) ?? []
          expect(all).toEqual([...(canResume ? stored : []), ...after.entries])
          expectEachOnce(all)
          // What was stored is what the model was told.
          const told = api.asked.at(-1) ?? []
          const results = stored.flatMap(entry =>
            [...JSON.stringify(entry).matchAll(/"tool_use_id":"(s\d+c\d)"/g)].map(([, id]) => id ?? ''),
          )
          expect(results.filter(id => canResume && !resultsIn(told).has(id))).toEqual([])
          // If the kill hid the id of the first session, there are two.
          const [session] = (await backend.querySessions({ limit: 1 })).sessions
          const messages = await new SessionManager(backend).getMessages(session?.sessionId ?? '')
          expect(messages.at(-1)).toMatchObject({ role: 'assistant', content: containing('Done with') })
          await backend.close()
          await api.stop()
        }
        expect(begun).toBeGreaterThan((KILLS * thoroughness) / 2)
        // Each round starts the program twice, which takes seconds.
      },
      600_000 * thoroughness,
    )
  },
)

function expectEachOnce(entries: readonly { readonly uuid?: string }[]): void {
  const uuids = entries.flatMap(({ uuid }) => uuid ?? [])
  expect(new Set(uuids).size).toBe(uuids.length)
}
