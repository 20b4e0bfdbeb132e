// The Messages API on loopback, with a model that asks for three parcels at once and tells how many it has heard of.
import { createServer } from 'node:http'

export async function startFakeModel() {
  const server = createServer((request, response) => void answer(request, response))
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

async function answer(request, response) {
  let text = ''
  for await (const chunk of request) text += chunk
  if (!request.url.startsWith('/v1/messages?')) {
    response.writeHead(404).end('{}')
    return
  }
  const { model, messages } = JSON.parse(text)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of eventsOf(model, contentAfter(messages))) {
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  }
  response.end()
}

function contentAfter(messages) {
  const results = messages
    .flatMap(({ content }) => (Array.isArray(content) ? content : []))
    .filter(({ type }) => type === 'tool_result')
  if (results.length > 0) {
    const found = results.filter(({ content }) => JSON.stringify(content).includes('depot')).length
    return [{ type: 'text', text: `I asked for ${results.length} parcels and know where ${found} are.` }]
  }
  return [1, 2, 3].map(parcel => ({
    type: 'tool_use',
    id: `toolu_${parcel}`,
    name: 'mcp__parcels__track',
    input: { parcel },
  }))
}

function eventsOf(model, content) {
  const stop = { stop_reason: content[0].type === 'tool_use' ? 'tool_use' : 'end_turn', stop_sequence: null }
  const usage = { input_tokens: 1, output_tokens: 1 }
  const message = { id: `msg_${Date.now()}`, type: 'message', role: 'assistant', model, content: [], usage }
  const blocks = content.flatMap((block, index) => {
    const isText = block.type === 'text'
    const delta = isText
      ? { type: 'text_delta', text: block.text }
      : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) }
    return [
      {
        type: 'content_block_start',
        index,
        content_block: isText ? { type: 'text', text: '' } : { ...block, input: {} },
      },
      { type: 'content_block_delta', index, delta },
      { type: 'content_block_stop', index },
    ]
  })
  return [
    { type: 'message_start', message },
    ...blocks,
    { type: 'message_delta', delta: stop, usage },
    { type: 'message_stop' },
  ]
}
