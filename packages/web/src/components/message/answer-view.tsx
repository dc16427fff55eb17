import { memo } from 'react'
import { useServices } from '../../app/services.ts'
import { messageText } from '../../chat/prompt.ts'
import { splitReasoning } from '../../chat/reasoning.ts'
import type { Message } from '../../chat/types.ts'
import { Markdown } from '../../markdown/markdown.tsx'
import { useStore } from '../../store.ts'
import { messageElementId } from '../element-ids.ts'
import { AnswerFooter } from './answer-footer.tsx'
import { AnswerCalls, AnswerRounds } from './answer-rounds.tsx'
import { PendingFooter, LiveFooter } from './live-footer.tsx'
import { FarMessage } from './far-message.tsx'
import { LiveRoute } from './live-route.tsx'
import { StandInNote } from './stand-in-note.tsx'
import { Thoughts } from './thoughts.tsx'
import { useDisclosure } from './use-disclosure.ts'
import './message.css'

interface AnswerViewProps {
  readonly message: Message
  /** Whether the message is close to the viewport: otherwise its plain text is enough. */
  readonly near: boolean
  readonly isLast: boolean
  readonly versionIndex: number
  readonly versionCount: number
}

/** An answer, complete or being written. */
export const AnswerView = memo(function AnswerView({
  message,
  near,
  isLast,
  versionIndex,
  versionCount,
}: AnswerViewProps) {
  const { answers, models } = useServices()
  const live = useStore(answers.live, (all) => all.get(message.id))
  const model = useStore(models, (state) => state.models.find(({ id }) => id === message.model))
  const thoughts = useDisclosure()
  const route = useDisclosure()
  const name = model?.name ?? message.model ?? ''
  if (!near && !live) return <FarMessage id={message.id} name={name} text={messageText(message)} />
  const parts = splitReasoning(live?.content ?? message.content, live?.reasoning ?? message.reasoning)
  const { reasoning, answer, thinking } = parts
  const writing = live !== undefined
  const { rounds = [], calls = [] } = live ?? message
  const footer = (
    <AnswerFooter
      message={message}
      answer={rounds.length > 0 ? messageText(message) : answer}
      modelName={model?.name ?? message.model}
      isLast={isLast}
      versions={{ index: versionIndex, count: versionCount }}
    />
  )
  return (
    <article
      id={messageElementId(message.id)}
      tabIndex={-1}
      data-focus-home
      className="message answer"
      aria-label={name}
      aria-busy={message.status === 'streaming'}
    >
      <AnswerRounds messageId={message.id} rounds={rounds} />
      {reasoning && <Thoughts text={reasoning} thinking={writing && thinking} disclosure={thoughts} />}
      {answer && <Markdown text={answer} growing={writing} />}
      <AnswerCalls messageId={message.id} calls={calls} live={writing} />
      <StandInNote asked={name} standIn={live?.standIn ?? message.standIn} />
      <LiveRoute route={live?.route ?? message.route} writing={writing} table={route} />
      {writing ? (
        <LiveFooter live={live} model={model} />
      ) : message.status === 'streaming' ? (
        <PendingFooter begun={answer !== '' || reasoning !== '' || rounds.length > 0}>{footer}</PendingFooter>
      ) : (
        footer
      )}
    </article>
  )
})
