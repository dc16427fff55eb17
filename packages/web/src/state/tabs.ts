import type { Answers } from './answers.ts'
import type { ChatsStore } from './chats-store.ts'
import type { DraftsStore } from './drafts-store.ts'
import type { AnswerHandover } from './answer-handover.ts'
import type { SessionStore } from './session-store.ts'
import { parseTabMessage, type TabMessage } from './tab-message.ts'

/** The other tabs of this page in the same browser. */
export interface Tabs {
  readonly publish: (message: TabMessage) => void
  /** Returns the function that stops listening. */
  listen(listener: (message: TabMessage) => void): () => void
}

const CHANNEL = 'petals-chat'

/** A message never returns to the tab that sent it. */
export function createTabs(channel: BroadcastChannel = new BroadcastChannel(CHANNEL)): Tabs {
  return {
    publish: (message) => channel.postMessage(message),
    listen(listener) {
      const onMessage = ({ data }: MessageEvent<unknown>): void => {
        const message = parseTabMessage(data)
        if (message) listener(message)
      }
      channel.addEventListener('message', onMessage)
      return () => channel.removeEventListener('message', onMessage)
    },
  }
}

export interface TabState {
  readonly chats: Pick<ChatsStore, 'receive'>
  readonly answers: Pick<Answers, 'receive' | 'drop'>
  readonly drafts: Pick<DraftsStore, 'receive'>
  readonly handover: Pick<AnswerHandover, 'follow'>
  readonly session: Pick<SessionStore, 'refresh'>
}

/** Applies a change of another tab. */
export function applyTabMessage(
  message: TabMessage,
  { chats, answers, drafts, handover, session }: TabState,
): void {
  switch (message.type) {
    case 'live':
      void handover.follow(message.answer.messageId)
      return answers.receive(message)
    case 'stop':
    case 'consent':
      return answers.receive(message)
    case 'draft':
      return drafts.receive(message)
    case 'session':
      return void session.refresh()
    case 'messages':
      chats.receive(message)
      for (const { id, status } of message.messages) {
        if (status === 'streaming') void handover.follow(id)
        else answers.drop(id)
      }
      return
    default:
      chats.receive(message)
  }
}
