// The model that the SDK takes by default if OPENAI_API_KEY is set. Otherwise one that counts what it is given.
import { Usage } from '@openai/agents-core'

const shelves = ['green', 'black', 'white']

class FakeModel {
  async getResponse({ input }) {
    const results = input.filter(({ type }) => type === 'function_call_result')
    return { usage: new Usage(), output: results.length < shelves.length ? calls() : [answer(results)] }
  }
}

function calls() {
  return shelves.map((shelf, index) => ({
    type: 'function_call',
    callId: `call-${index + 1}`,
    name: 'count',
    arguments: JSON.stringify({ shelf }),
    status: 'completed',
  }))
}

function answer(results) {
  const boxes = results.map(({ output }) => JSON.parse(output.text).boxes)
  const text = `We have ${boxes.reduce((sum, each) => sum + each, 0)} boxes.`
  return { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] }
}

/** Members of the agent. */
export const model = process.env.OPENAI_API_KEY ? {} : { model: new FakeModel() }

// The SDK's provider for OpenAI comes with the package that also has the model of this name.
if (process.env.OPENAI_API_KEY) await import('@openai/agents')
