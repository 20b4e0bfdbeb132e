// node run.mjs answer SESSION PROMPT | recover
import { answer, close, recover } from './agent.mjs'

const [verb, sessionId, prompt] = process.argv.slice(2)
if (verb === 'answer') console.log(await answer(sessionId, prompt))
else if (verb === 'recover') for await (const text of recover(Number(process.env.IDLE_MS ?? 60_000))) console.log(text)
else throw new Error('answer SESSION PROMPT, or recover')
await close()
