import { AbstractChat, type ChatInit, type ChatState, DefaultChatTransport, type UIMessage } from 'ai'

/** The state that `useChat` has in a page. */
class PageState implements ChatState<UIMessage> {
  status: ChatState<UIMessage>['status'] = 'ready'
  error: Error | undefined = undefined
  messages: UIMessage[] = []
  pushMessage = (message: UIMessage): void => {
    this.messages = [...this.messages, message]
  }
  popMessage = (): void => {
    this.messages = this.messages.slice(0, -1)
  }
  replaceMessage = (index: number, message: UIMessage): void => {
    this.messages = this.messages.with(index, structuredClone(message))
  }
  snapshot = <T>(thing: T): T => structuredClone(thing)
}

type Route = (request: Request) => Promise<Response>

interface PageOptions extends Pick<ChatInit<UIMessage>, 'sendAutomaticallyWhen'> {
  /** Whether each request has all messages. Default: the last one. */
  readonly sendsAll?: boolean
}

/** `useChat` of a page, without the page. */
export class Page extends AbstractChat<UIMessage> {
  constructor(route: Route, { sendsAll = false, ...options }: PageOptions = {}) {
    const transport = new DefaultChatTransport<UIMessage>({
      api: 'http://localhost/api/chat',
      fetch: async (_url, init) => route(new Request('http://localhost/api/chat', init)),
      prepareSendMessagesRequest: ({ id, messages }) => ({
        body: { id, ...(sendsAll ? { messages } : { message: messages.at(-1) }) },
      }),
    })
    super({ id: 'chat-1', transport, state: new PageState(), onError() {}, ...options })
  }
}
