import { convertToModelMessages, generateText, isToolUIPart, stepCountIs, streamText, tool, ToolLoopAgent } from 'ai'
import { TurnstoreChats } from '@turnstore/ai-sdk'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { memory } from '../stores.ts'
import { fakeModel, resultsIn, says, user, wants } from './fake-model.ts'

const act = tool({ inputSchema: z.object({}), execute: async () => 'did' })
const model = () => fakeModel(prompt => (resultsIn(prompt).length === 0 ? [wants('c1', 'act')] : [says('Done.')]))

describe('The settings of a run', () => {
  it('are those of an agent too', async () => {
    const chats = new TurnstoreChats({ store: memory() })
    const run = await chats.recordRun('chat-1', { message: user('u1'), tools: { act } })
    const agent = new ToolLoopAgent({ model: model(), ...run.settings, onEnd: run.onEnd })
    const { text } = await agent.generate({ messages: await convertToModelMessages(run.messages) })
    expect(text).toBe('Done.')
    expect((await chats.loadMessages('chat-1'))[1]?.parts.map(({ type }) => type)).toEqual([
      'step-start',
      'tool-act',
      'step-start',
      'text',
    ])
  })

  it('go together with callbacks of your own', async () => {
    const chats = new TurnstoreChats({ store: memory() })
    const run = await chats.recordRun('chat-1', { message: user('u1'), tools: { act } })
    const seen: string[] = []
    const result = streamText({
      model: model(),
      messages: await convertToModelMessages(run.messages),
      stopWhen: stepCountIs(3),
      ...run.settings,
      prepareStep: async step => {
        await run.settings.prepareStep(step)
        seen.push(`step ${step.stepNumber}: ${(await storedCalls(chats)).join(' ')}`)
        return { temperature: 0 }
      },
      onEnd: async event => {
        seen.push('end')
        await run.onEnd(event)
      },
    })
    expect(await result.text).toBe('Done.')
    expect(seen).toEqual(['step 0: ', 'step 1: c1', 'end'])
    await vi.waitFor(async () => expect((await chats.loadChat('chat-1'))?.isRunning).toBe(false))
  })

  it('store the steps of several calls of the SDK in their order', async () => {
    const chats = new TurnstoreChats({ store: memory() })
    const run = await chats.recordRun('chat-1', { message: user('u1'), tools: { act } })
    const messages = await convertToModelMessages(run.messages)
    await generateText({ model: fakeModel(() => [says('One.')]), messages, ...run.settings })
    await generateText({ model: fakeModel(() => [says('Two.')]), messages, ...run.settings, onEnd: run.onEnd })
    expect((await chats.loadMessages('chat-1'))[1]?.parts).toMatchObject([{}, { text: 'One.' }, {}, { text: 'Two.' }])
  })
})

/** The calls that another process sees. */
async function storedCalls(chats: TurnstoreChats): Promise<string[]> {
  const messages = await chats.loadMessages('chat-1')
  return messages.flatMap(({ parts }) => parts.filter(isToolUIPart)).map(({ toolCallId }) => toolCallId)
}
