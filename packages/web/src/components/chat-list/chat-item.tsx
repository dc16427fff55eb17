import { type KeyboardEvent, memo, useEffect, useRef, useState } from 'react'
import { formatRoute } from '../../app/router.ts'
import { useServices } from '../../app/services.ts'
import type { Chat } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { chatElementId } from '../element-ids.ts'
import { pressedKey } from '../../ui/pressed-key.ts'
import { ChatMenu } from './chat-menu.tsx'

interface ChatItemProps {
  readonly chat: Chat
  readonly isCurrent: boolean
  readonly isWriting: boolean
  /** Whether the Tab key stops at this item, as at one of the list. */
  readonly isTabStop: boolean
  readonly onFocus: (chatId: string) => void
  readonly onNavigate: () => void
}

/** A chat in the list: its title, or the field that renames it. */
export const ChatItem = memo(function ChatItem({
  chat,
  isCurrent,
  isWriting,
  isTabStop,
  onFocus,
  onNavigate,
}: ChatItemProps) {
  const texts = useTexts()
  const link = useRef<HTMLAnchorElement>(null)
  const [renaming, setRenaming] = useState(false)
  if (renaming)
    return (
      <li className="chat-item">
        <TitleField
          chat={chat}
          onDone={() => {
            setRenaming(false)
            requestAnimationFrame(() => link.current?.focus())
          }}
        />
      </li>
    )
  const title = chat.title || texts.untitledChat
  return (
    <li className="chat-item" onFocus={() => onFocus(chat.id)}>
      <a
        ref={link}
        id={chatElementId(chat.id)}
        tabIndex={isTabStop ? 0 : -1}
        className="chat-link"
        dir="auto"
        href={formatRoute({ page: 'chat', chatId: chat.id })}
        aria-current={isCurrent ? 'page' : undefined}
        title={title}
        onClick={onNavigate}
      >
        {isWriting && <ChatActivity />}
        {title}
      </a>
      <ChatMenu chat={chat} title={title} isTabStop={isTabStop} onRename={() => setRenaming(true)} />
    </li>
  )
})

/** Enter and leaving the field save the title; Escape does not. */
function TitleField({ chat, onDone }: { readonly chat: Chat; readonly onDone: () => void }) {
  const { chats } = useServices()
  const texts = useTexts()
  const field = useRef<HTMLInputElement>(null)
  const done = useRef(false)
  useEffect(() => field.current?.select(), [])
  const finish = (keep: boolean): void => {
    if (done.current) return
    done.current = true
    const title = field.current?.value.trim() ?? ''
    if (keep && title && title !== chat.title) chats.updateChat(chat.id, { title, titledByUser: true })
    onDone()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const key = pressedKey(event)
    if (key !== 'Enter' && key !== 'Escape') return
    event.preventDefault()
    finish(key === 'Enter')
  }
  return (
    <input
      ref={field}
      className="chat-title-field"
      dir="auto"
      aria-label={texts.chatTitle}
      defaultValue={chat.title}
      maxLength={200}
      autoFocus
      onKeyDown={onKeyDown}
      onBlur={() => finish(true)}
    />
  )
}

/** Marks a chat in which an answer is being written. */
function ChatActivity() {
  const texts = useTexts()
  return (
    <span className="chat-activity" title={texts.writing}>
      <span className="visually-hidden">{texts.writing}</span>
    </span>
  )
}
