import { Agent, MemorySession, run, setTracingDisabled, tool } from '@openai/agents-core'
import { isJsonObject } from '@turnstore/core/adapter'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { encodeItem } from '../../packages/openai-agents/src/items/item-json.ts'
import { functionResult, outputOf } from '../../packages/openai-agents/src/run/function-result.ts'
import { answers, FakeModel, wants } from './fake-model.ts'

setTracingDisabled(true)

const circle: { self?: unknown } = {}
circle.self = circle
const bytes = new Uint8Array([1, 2, 250])
const base64 = 'AQL6'

const outputs: readonly (readonly [string, unknown])[] = [
  ['text', 'At the depot.'],
  ['empty text', ''],
  ['a number', 7],
  ['nothing', undefined],
  ['null', null],
  ['true', true],
  ['an object', { parcel: 7, at: null, no: undefined }],
  ['a date', new Date(0)],
  ['a list', [1, 'two']],
  ['an empty list', []],
  ['a circle', circle],
  ['text as a part', { type: 'text', text: 'x', more: 1 }],
  ['text as a part with provider data', { type: 'text', text: 'x', providerData: { a: 1 } }],
  ['text without text', { type: 'text' }],
  [
    'parts',
    [
      { type: 'text', text: 'x' },
      { type: 'image', image: 'https://example.com/a.png', detail: 'low' },
    ],
  ],
  ['parts and others', [{ type: 'text', text: 'x' }, 'y']],
  ['an image of bytes', { type: 'image', image: { data: bytes, mediaType: 'image/png' } }],
  ['an image of base64', { type: 'image', image: { data: base64, mediaType: 'image/png' } }],
  ['an image by its file', { type: 'image', image: { fileId: 'f1' } }],
  ['an image by its URL', { type: 'image', image: { url: 'https://example.com/a.png' } }],
  ['an image without one', { type: 'image' }],
  ['a file of bytes', { type: 'file', file: { data: bytes, mediaType: 'text/plain', filename: 'a.txt' } }],
  ['a file of base64', { type: 'file', file: { data: base64, mediaType: 'text/plain', filename: 'a.txt' } }],
  ['a file by its URL', { type: 'file', file: { url: 'https://example.com/a', filename: 'a' } }],
  ['a file by its id', { type: 'file', file: { id: 'f1' } }],
  ['a file as text', { type: 'file', file: 'data:text/plain;base64,AQL6' }],
]

/** The item of a call of a tool that gives an output, as the SDK makes it. */
async function itemFor(output: unknown): Promise<unknown> {
  const session = new MemorySession()
  const give = tool({ name: 'give', description: 'Gives', parameters: z.object({}), execute: () => output })
  const model = new FakeModel((_input, count) => [count === 1 ? wants('c1', 'give') : answers('Done.')])
  await run(new Agent({ name: 'A', model, tools: [give] }), 'Go', { session })
  return (await session.getItems()).find(({ type }) => type === 'function_call_result')
}

describe.each(outputs)('The result of a tool that returned %s', (_name, output) => {
  const [call] = [{ ...wants('c1', 'give') }].map(encodeItem)

  it('is the item that the SDK makes', async () => {
    expect(functionResult(call ?? {}, output)).toEqual(await itemFor(output))
  })

  it('gives the same item when the SDK asks again', async () => {
    const stored = functionResult(call ?? {}, output)
    expect(isJsonObject(stored)).toBe(true)
    expect(await itemFor(outputOf(stored))).toEqual(stored)
  })
})
