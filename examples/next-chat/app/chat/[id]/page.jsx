import { chats } from '../../../lib/chats.mjs'
import { Chat } from './chat.jsx'

export default async function Page({ params }) {
  const { id } = await params
  const chat = await chats.loadChat(id)
  return (
    <Chat
      id={id}
      stored={chat?.messages ?? []}
      isActive={(chat?.activeStreamId ?? null) !== null}
      isRunning={chat?.isRunning ?? false}
    />
  )
}
