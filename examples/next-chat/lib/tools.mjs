import { tool } from 'ai'
import { z } from 'zod'

const boxes = { assam: 12, sencha: 7 }

export const tools = {
  stock: tool({
    description: 'Counts the boxes of a tea',
    inputSchema: z.object({ tea: z.string() }),
    async execute({ tea }) {
      await new Promise(resolve => setTimeout(resolve, 500))
      return { tea, boxes: boxes[tea] ?? 0 }
    },
  }),
}

/** A call of these that a crash interrupted runs again. */
export const repeatable = ['stock']
