import { TurnstoreSessionStore } from '@turnstore/claude-agent-sdk'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, program, projectOf, withProgram } from '../claude-agent-sdk/agent.ts'
import { says, startApi, textsIn as textsAsked } from '../claude-agent-sdk/fake-api.ts'
import { memory, newFolder } from '../stores.ts'
import { aiSdk } from './ai-sdk.ts'
import { someConversations } from './conversations.ts'
import { openAiAgents } from './openai.ts'

const sdks = [openAiAgents, aiSdk]

describe.skipIf(program === null)(`Sessions of other SDKs in ${withProgram}`, () => {
  it.each(sdks)('are resumed, those of the $name, as the API takes them', async sdk => {
    const api = await startApi(() => [says('Done.')])
    onTestFinished(async () => api.stop())
    for (const [index, conversation] of someConversations(3, 7).entries()) {
      const store = memory()
      const sessionId = await sdk.record(store, conversation, index)
      const before = await sdk.load(store, sessionId)
      const cwd = newFolder()
      const sessionStore = new TurnstoreSessionStore({ store })
      const key = await sessionStore.copySession(sessionId, { projectKey: projectOf(cwd) })
      const rendered = (await sessionStore.load(key)) ?? []
      const { result, mirrorErrors } = await ask('And now?', api.url, { cwd, sessionStore, resume: key.sessionId })
      expect({ index, result, mirrorErrors, refused: api.refused }).toEqual({
        index,
        result: 'Done.',
        mirrorErrors: [],
        refused: [],
      })
      const asked = textsAsked(api.asked.at(-1) ?? [])
      expect(asked.at(-1)).toBe('And now?')
      // The program joins neighbours of one role, with a line break.
      for (const { prompt } of conversation.talk.turns) expect(asked.join('\n')).toContain(prompt)
      const after = (await new TurnstoreSessionStore({ store }).load(key)) ?? []
      expect(after.slice(0, rendered.length)).toEqual(rendered)
      expect(after.length).toBeGreaterThan(rendered.length)
      expect(await sdk.load(store, sessionId)).toEqual(before)
    }
  })
})
