import { useTexts } from '../i18n/texts.ts'
import type { Message } from '../chat/types.ts'
import { AnswerView } from './answer-view.tsx'
import { IconButton } from './button.tsx'
import { UserMessageView } from './user-message-view.tsx'
import { useStickToEnd } from './stick-to-end.ts'
import './thread.css'

/** The messages of the branch that is shown. */
export function Thread({ path }: { readonly chatId: string; readonly path: readonly Message[] }) {
  const texts = useTexts()
  const { scroller, content, atEnd, toEnd } = useStickToEnd(path.length)
  return (
    <div className="thread-frame">
      <div className="thread" ref={scroller} tabIndex={0} role="region" aria-label={texts.conversation}>
        <div className="thread-column" ref={content}>
          {path.map((message, index) =>
            message.role === 'user' ? (
              <UserMessageView key={message.id} message={message} />
            ) : (
              <AnswerView key={message.id} message={message} isLast={index === path.length - 1} />
            ),
          )}
        </div>
      </div>
      {!atEnd && <IconButton className="thread-to-end" icon="down" label={texts.jumpToEnd} onClick={toEnd} />}
    </div>
  )
}
