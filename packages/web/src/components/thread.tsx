import { Fragment, useEffect } from 'react'
import { siblingsOf, type MessageTree } from '../chat/message-tree.ts'
import type { Message } from '../chat/types.ts'
import { useTexts } from '../i18n/texts.ts'
import { loadMarkdown } from '../markdown/markdown.tsx'
import { IconButton } from '../ui/button.tsx'
import { AnswerView } from './message/answer-view.tsx'
import { UserMessageView } from './message/user-message-view.tsx'
import { ThreadWindowContext, useThreadWindow, Windowed } from './thread-window.tsx'
import { useStickToEnd } from '../ui/stick-to-end.ts'
import './thread.css'

interface ThreadProps {
  readonly tree: MessageTree
  /** The shown branch. */
  readonly path: readonly Message[]
  /** The name of the thread, if there are several. Default: “Conversation”. */
  readonly label?: string
  /** The title above the messages in print. */
  readonly title?: string | undefined
}

/** Messages at the end that are rendered from the start. */
const READY_AT_END = 2

/** The messages of the shown branch. */
export function Thread({ tree, path, label, title }: ThreadProps) {
  const texts = useTexts()
  const { scroller, content, atEnd, toEnd } = useStickToEnd(path.length > 0, writtenId(path))
  const threadWindow = useThreadWindow(scroller)
  useEffect(() => {
    // Load the parser before the first word of an answer; without a server, `Markdown` shows plain text.
    loadMarkdown().catch(() => {})
  }, [])
  const lastAnswer = path.findLastIndex(({ role }) => role === 'assistant')
  const leftOut = path[lastAnswer]?.leftOut
  return (
    <div className="thread-frame">
      <div
        className="thread"
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label={label ?? texts.conversation}
      >
        <ThreadWindowContext value={threadWindow}>
          <div className="thread-column" ref={content}>
            {title && (
              <h1 className="print-title" dir="auto">
                {title}
              </h1>
            )}
            {/* Versions of a message have the same parent: stepping through them keeps the focus on the arrows. */}
            {path.map((message, index) => (
              <Fragment key={message.parentId ?? 'first'}>
                {leftOut?.firstSeenId === message.id && leftOut.messages > 0 && (
                  <LeftOutNote>{texts.leftOut(leftOut.messages)}</LeftOutNote>
                )}
                {leftOut?.partOfAnswer && index === lastAnswer && (
                  <LeftOutNote>{texts.leftOutOfAnswer}</LeftOutNote>
                )}
                <ThreadMessage message={message} tree={tree} fromEnd={path.length - 1 - index} />
              </Fragment>
            ))}
          </div>
        </ThreadWindowContext>
      </div>
      {!atEnd && <IconButton className="thread-to-end" icon="down" label={texts.jumpToEnd} onClick={toEnd} />}
    </div>
  )
}

/** Marks the beginning of the part of the chat that the model sees. */
function LeftOutNote({ children }: { readonly children: string }) {
  return (
    <p className="left-out" role="note">
      <span>{children}</span>
    </p>
  )
}

/** Returns the id of the message at the end that is being written, if any. */
function writtenId(path: readonly Message[]): string | undefined {
  const last = path.at(-1)
  return last?.status === 'streaming' ? last.id : undefined
}

interface ThreadMessageProps {
  readonly message: Message
  readonly tree: MessageTree
  /** How many messages follow. */
  readonly fromEnd: number
}

function ThreadMessage({ message, tree, fromEnd }: ThreadMessageProps) {
  const { ids, index } = siblingsOf(tree, message.id)
  const View = message.role === 'user' ? UserMessageView : AnswerView
  const isLast = fromEnd === 0
  return (
    <Windowed always={fromEnd < READY_AT_END} text={message.content}>
      {(near) => (
        <View message={message} near={near} isLast={isLast} versionIndex={index} versionCount={ids.length} />
      )}
    </Windowed>
  )
}
