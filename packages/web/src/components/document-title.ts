import { useEffect, useRef, useState } from 'react'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../store.ts'
import { useServices } from '../app/services.ts'
import { useWritingChats } from '../app/current-chat.ts'

const PRODUCT = 'Petals Chat'

/**
 * Sets the window title: the chat's, with a mark while an answer is being written, or if one was completed in the
 * background.
 */
export function DocumentTitle(): null {
  const title = usePlaceTitle()
  const mark = useAnswerMark()
  useEffect(() => {
    document.title = mark + (title ? `${title} – ${PRODUCT}` : PRODUCT)
  }, [title, mark])
  return null
}

function usePlaceTitle(): string {
  const { chats, router } = useServices()
  const texts = useTexts()
  const route = useStore(router)
  const chatId = route.page === 'chat' ? route.chatId : undefined
  const chat = useStore(chats, (state) => (chatId ? state.chats.get(chatId) : undefined))
  if (route.page === 'chat') return chat ? chat.title || texts.untitledChat : ''
  return route.page === 'new' ? '' : texts[route.page]
}

/** Returns `… ` while answers are being written, and `● ` after they were completed until the page is visible again. */
function useAnswerMark(): string {
  const writing = [...useWritingChats()].some((id) => id !== '')
  const wasWriting = useRef(writing)
  const [unseen, setUnseen] = useState(false)
  useEffect(() => {
    if (wasWriting.current && !writing && document.hidden) setUnseen(true)
    wasWriting.current = writing
  }, [writing])
  useEffect(() => {
    const see = (): void => {
      if (!document.hidden) setUnseen(false)
    }
    document.addEventListener('visibilitychange', see)
    return () => document.removeEventListener('visibilitychange', see)
  }, [])
  return writing ? '… ' : unseen ? '● ' : ''
}
