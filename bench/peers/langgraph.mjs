import { join } from 'node:path'
import { emptyCheckpoint, uuid6 } from '@langchain/langgraph-checkpoint'
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres'
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite'
import { many, wireTurn } from '../turns.mjs'

/**
 * A turn reads the thread's last checkpoint and puts the next one, with all turns in it. WAL, synchronous=NORMAL.
 * Its users put several checkpoints a turn, and message objects that cost more to encode than these plain ones.
 */
export async function openLangGraph(folder) {
  const saver = SqliteSaver.fromConnString(join(folder, 'langgraph.db'))
  return langGraphOn(saver, async () => saver.db.close())
}

/** The same in Postgres. */
export async function openLangGraphOnPostgres(connectionString) {
  const saver = PostgresSaver.fromConnString(connectionString, { schema: 'langgraph' })
  await saver.setup()
  return langGraphOn(saver, () => saver.end())
}

function langGraphOn(saver, close) {
  let step = 0
  const put = (config, turns) => {
    step++
    const checkpoint = {
      ...emptyCheckpoint(),
      id: uuid6(step),
      channel_values: { turns },
      channel_versions: { turns: step },
    }
    return saver.put(config, checkpoint, { source: 'loop', step, parents: {} }, { turns: step })
  }
  const configOf = threadId => ({ configurable: { thread_id: threadId, checkpoint_ns: '' } })
  const last = threadId => saver.getTuple(configOf(threadId))
  return {
    fill: (threadId, count) => put(configOf(threadId), many(count, wireTurn)),
    async append(threadId) {
      const { checkpoint, config } = await last(threadId)
      await put(config, [...checkpoint.channel_values.turns, wireTurn()])
    },
    count: async threadId => (await last(threadId)).checkpoint.channel_values.turns.length,
    close,
  }
}
