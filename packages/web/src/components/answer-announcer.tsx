import { useEffect, useRef, useState } from 'react'
import { useServices } from '../app/services.ts'
import type { MessageStatus } from '../chat/types.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../store.ts'
import { holdWords } from './message/swarm-words.ts'

const statusTexts = {
  streaming: 'answerStarted',
  done: 'answerDone',
  length: 'statusLength',
  stopped: 'statusStopped',
  interrupted: 'statusInterrupted',
  error: undefined,
} as const satisfies Record<MessageStatus, string | undefined>

interface AnswerAnnouncerProps {
  /** The last answer of the shown chat. */
  readonly messageId: string | undefined
  readonly status: MessageStatus | undefined
  /** The name of the answering side, if there are several. */
  readonly name?: string
}

/** Announces to screen readers when an answer begins and how it ends; listeners read the text at their own pace. */
export function AnswerAnnouncer({ messageId, status, name }: AnswerAnnouncerProps) {
  const texts = useTexts()
  const { answers } = useServices()
  const hold = useStore(answers.live, (all) => {
    const live = messageId ? all.get(messageId) : undefined
    return live && holdWords(texts, live)
  })
  const asking = useStore(answers.live, (all) => {
    const call = messageId ? all.get(messageId)?.calls.find(({ state }) => state === 'asking') : undefined
    return call && (call.title ?? call.name)
  })
  const before = useRef({ messageId, status })
  const [key, setKey] = useState<(typeof statusTexts)[MessageStatus]>()
  useEffect(() => {
    const { current } = before
    before.current = { messageId, status }
    // Announce only changes: opening a chat or choosing another version is not one.
    const happens =
      status === 'streaming' || (current.messageId === messageId && current.status === 'streaming')
    setKey(happens && status ? statusTexts[status] : undefined)
  }, [messageId, status])
  const words = asking !== undefined ? texts.toolAsksYou(asking) : (hold ?? (key && texts[key]))
  return (
    <div className="visually-hidden" role="status">
      {words && (name ? `${name}: ${words}` : words)}
    </div>
  )
}
