import { useEffect, useRef, useState } from 'react'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../store.ts'
import { useServices } from '../app/services.ts'
import { useWritingChats } from '../app/current-chat.ts'

const PRODUCT = 'Petals Chat'

/** The title of the window: the chat's, and before it whether an answer is being written, or came while the page was hidden. */
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

/** `… ` while answers are written, `● ` once they are there and the page has not been looked at since. */
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
