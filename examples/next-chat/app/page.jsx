import Link from 'next/link'
import { redirect } from 'next/navigation'
import { manager } from '../lib/chats.mjs'
import { deleteChat } from './actions.js'

export const dynamic = 'force-dynamic'

async function newChat() {
  'use server'
  redirect(`/chat/${crypto.randomUUID()}`)
}

export default async function Page() {
  const { sessions } = await manager.querySessions({ limit: 50 })
  return (
    <>
      <form action={newChat}>
        <button>New chat</button>
      </form>
      <ul className="chats">
        {sessions.map(({ sessionId, metadata, lastTurn }) => (
          <li key={sessionId}>
            <Link href={`/chat/${sessionId}`}>{metadata.title ?? lastTurn?.prompt ?? 'New chat'}</Link>
            <form action={deleteChat.bind(null, sessionId)}>
              <button>Delete</button>
            </form>
          </li>
        ))}
      </ul>
    </>
  )
}
