'use client'

import { useChat } from '@ai-sdk/react'
import { DefaultChatTransport, isToolUIPart } from 'ai'
import { useState } from 'react'
import { branch } from '../../actions.js'

const transport = new DefaultChatTransport({
  prepareSendMessagesRequest: ({ id, messages }) => ({ body: { id, message: messages.at(-1) } }),
})

export function Chat({ id, stored, isActive, isRunning }) {
  const [text, setText] = useState('')
  const { messages, sendMessage, regenerate, status, error } = useChat({
    id,
    messages: stored,
    resume: isActive,
    transport,
  })
  const isIdle = status === 'ready' || status === 'error'
  const hasDied = isRunning && messages === stored
  const send = event => {
    event.preventDefault()
    if (text.trim() !== '') sendMessage({ text })
    setText('')
  }
  return (
    <>
      {messages.map(message => (
        <article key={message.id} className={message.role}>
          {message.parts.map((part, index) => (
            <Part key={index} part={part} />
          ))}
          {isIdle && <button onClick={() => branch(id, message.id)}>Branch</button>}
        </article>
      ))}
      {error !== undefined && <p role="alert">The answer was interrupted.</p>}
      {isIdle && messages.at(-1)?.role === 'assistant' && !hasDied && (
        <button onClick={() => regenerate()}>Answer again</button>
      )}
      {isIdle && (hasDied || status === 'error') && <button onClick={() => sendMessage()}>Continue</button>}
      <form onSubmit={send}>
        <input value={text} onChange={event => setText(event.target.value)} placeholder="Ask about tea" autoFocus />
        <button disabled={!isIdle}>Send</button>
      </form>
    </>
  )
}

function Part({ part }) {
  if (part.type === 'text') return <p>{part.text}</p>
  if (!isToolUIPart(part)) return null
  return <pre>{part.state === 'output-available' ? JSON.stringify(part.output) : part.state}</pre>
}
