import { Fragment } from 'react'
import { siblingsOf, type MessageTree } from '../chat/message-tree.ts'
import type { Message } from '../chat/types.ts'
import { useTexts } from '../i18n/texts.ts'
import { IconButton } from './button.tsx'
import { AnswerView } from './message/answer-view.tsx'
import { UserMessageView } from './message/user-message-view.tsx'
import { useStickToEnd } from './stick-to-end.ts'
import './thread.css'

interface ThreadProps {
  readonly tree: MessageTree
  /** The branch that is shown. */
  readonly path: readonly Message[]
}

/** The messages of the branch that is shown. */
export function Thread({ tree, path }: ThreadProps) {
  const texts = useTexts()
  const { scroller, content, atEnd, toEnd } = useStickToEnd(path.length > 0, writtenId(path))
  const leftOut = path.findLast(({ role }) => role === 'assistant')?.leftOut
  return (
    <div className="thread-frame">
      <div className="thread" ref={scroller} tabIndex={0} role="region" aria-label={texts.conversation}>
        <div className="thread-column" ref={content}>
          {/* Versions of a message have the same parent: stepping through them keeps the focus on the arrows. */}
          {path.map((message, index) => (
            <Fragment key={message.parentId ?? 'first'}>
              {leftOut?.firstSeenId === message.id && (
                <p className="left-out" role="note">
                  <span>{texts.leftOut(leftOut.messages)}</span>
                </p>
              )}
              <MessageView message={message} tree={tree} isLast={index === path.length - 1} />
            </Fragment>
          ))}
        </div>
      </div>
      {!atEnd && <IconButton className="thread-to-end" icon="down" label={texts.jumpToEnd} onClick={toEnd} />}
    </div>
  )
}

/** The message that is being written at the end, if one is. */
function writtenId(path: readonly Message[]): string | undefined {
  const last = path.at(-1)
  return last?.status === 'streaming' ? last.id : undefined
}

interface MessageViewProps {
  readonly message: Message
  readonly tree: MessageTree
  readonly isLast: boolean
}

function MessageView({ message, tree, isLast }: MessageViewProps) {
  const { ids, index } = siblingsOf(tree, message.id)
  const versions = { versionIndex: index, versionCount: ids.length }
  return message.role === 'user' ? (
    <UserMessageView message={message} isLast={isLast} {...versions} />
  ) : (
    <AnswerView message={message} isLast={isLast} {...versions} />
  )
}
