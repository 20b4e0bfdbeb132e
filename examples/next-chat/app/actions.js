'use server'

import { revalidatePath } from 'next/cache'
import { redirect } from 'next/navigation'
import { chats, manager } from '../lib/chats.mjs'

export async function deleteChat(id) {
  await manager.deleteSession(id)
  revalidatePath('/')
}

/** A chat that goes on from a message of this one. */
export async function branch(id, messageId) {
  redirect(`/chat/${await chats.forkChat(id, messageId)}`)
}
