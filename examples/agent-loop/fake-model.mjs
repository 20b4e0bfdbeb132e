/** A model that asks for three shelves at once, and answers when it has all three counts. Yields deltas, as a stream does. */
export async function* fakeModel(messages) {
  const question = messages.findLastIndex(({ role }) => role === 'user')
  const results = messages.slice(question).filter(({ role }) => role === 'tool')
  if (results.length === 0) {
    for (const [index, of] of ['green', 'black', 'white'].entries()) {
      yield { tool_calls: [{ index, id: `call_${of}`, function: { name: 'stock', arguments: '' } }] }
      yield { tool_calls: [{ index, function: { arguments: JSON.stringify({ of }) } }] }
    }
    return
  }
  const counts = results.map(({ content }) => JSON.parse(content))
  for (const word of ['We ', 'have ', `${counts.reduce((sum, { boxes }) => sum + boxes, 0)} boxes.`]) {
    yield { content: word }
  }
}
