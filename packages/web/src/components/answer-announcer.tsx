import { useEffect, useRef, useState } from 'react'
import { useServices } from '../app/services.ts'
import type { MessageStatus } from '../chat/types.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../store.ts'
import { waitWords } from './message/swarm-words.ts'

const statusTexts = {
  streaming: 'answerStarted',
  done: 'answerDone',
  length: 'statusLength',
  stopped: 'statusStopped',
  interrupted: 'statusInterrupted',
  error: undefined,
} as const satisfies Record<MessageStatus, string | undefined>

interface AnswerAnnouncerProps {
  /** The last answer of the chat that is shown. */
  readonly messageId: string | undefined
  readonly status: MessageStatus | undefined
  /** Whose answer it is, where there are several. */
  readonly name?: string
}

/** Tells people who listen to the page when an answer begins and how it ends; the text itself they read at their pace. */
export function AnswerAnnouncer({ messageId, status, name }: AnswerAnnouncerProps) {
  const texts = useTexts()
  const { answers } = useServices()
  const wait = useStore(answers.live, (all) => (messageId ? all.get(messageId)?.waiting : undefined))
  const before = useRef({ messageId, status })
  const [key, setKey] = useState<(typeof statusTexts)[MessageStatus]>()
  useEffect(() => {
    const { current } = before
    before.current = { messageId, status }
    // Only what happens now: a chat that is opened, or another version that is chosen, is no news.
    const happens =
      status === 'streaming' || (current.messageId === messageId && current.status === 'streaming')
    setKey(happens && status ? statusTexts[status] : undefined)
  }, [messageId, status])
  const words = wait ? waitWords(texts, wait) : key && texts[key]
  return (
    <div className="visually-hidden" role="status">
      {words && (name ? `${name}: ${words}` : words)}
    </div>
  )
}
