import { setTimeout as sleep } from 'node:timers/promises'

const shelves = { green: 3, black: 14, white: 5 }

/** What the model may call. */
export const tools = {
  async stock({ of }) {
    // White tea is on the top shelf. The process may be killed while someone fetches a ladder.
    if (of === 'white') await sleep(Number(process.env.LADDER_MS ?? 0))
    console.log(`counted ${of}`)
    return { boxes: shelves[of] ?? 0 }
  },
}
