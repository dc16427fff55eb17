import { createContext, useContext } from 'react'
import { useStore } from '../state/use-store.ts'
import { useServices } from './services.ts'

/** The chat that a part of the page is about, where that isn't the chat of the page's address. */
export const CurrentChatContext = createContext<string | undefined>(undefined)

/** Id of the chat around a component; undefined for the chat that begins with the next message. */
export function useCurrentChatId(): string | undefined {
  const { router } = useServices()
  const ofPage = useStore(router, (route) => (route.page === 'chat' ? route.chatId : undefined))
  return useContext(CurrentChatContext) ?? ofPage
}
