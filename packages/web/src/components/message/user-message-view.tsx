import { memo, useState } from 'react'
import { useServices } from '../../app/services.ts'
import type { Message } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Button, IconButton } from '../button.tsx'
import { AttachmentList } from '../composer/attachment-chip.tsx'
import { CopyButton } from '../copy-button.tsx'
import { Menu, MenuItem } from '../menu.tsx'
import { FarMessage } from './far-message.tsx'
import { useDeleteMessage } from './delete-message.ts'
import { MessageEditor } from './message-editor.tsx'
import { VersionSwitcher } from './version-switcher.tsx'
import './message.css'

interface UserMessageViewProps {
  readonly message: Message
  /** Close to the visible part: otherwise its words are enough. */
  readonly near: boolean
  readonly isLast: boolean
  readonly versionIndex: number
  readonly versionCount: number
}

export const UserMessageView = memo(function UserMessageView({
  message,
  near,
  isLast,
  versionIndex,
  versionCount,
}: UserMessageViewProps) {
  const { conversation } = useServices()
  const texts = useTexts()
  const [editing, setEditing] = useState<string>()
  const remove = useDeleteMessage(message)
  if (editing === message.id) return <MessageEditor message={message} onClose={() => setEditing(undefined)} />
  if (!near) return <FarMessage name={texts.you} text={message.content} />
  return (
    <article className="message user-message" aria-label={texts.you}>
      <AttachmentList attachments={message.attachments ?? []} />
      {message.content && <div className="user-bubble">{message.content}</div>}
      <div className="message-actions">
        {message.tokens !== undefined && (
          <span className="message-tokens">{texts.tokenCount(message.tokens)}</span>
        )}
        <VersionSwitcher
          chatId={message.chatId}
          messageId={message.id}
          index={versionIndex}
          count={versionCount}
        />
        {isLast && (
          <Button kind="plain" icon="retry" onClick={() => conversation.answer(message.chatId, message.id)}>
            {texts.askAgain}
          </Button>
        )}
        <CopyButton text={message.content} label={texts.copy} />
        <IconButton
          size="small"
          icon="pencil"
          label={texts.editMessage}
          onClick={() => setEditing(message.id)}
        />
        <Menu label={texts.moreActions}>
          <MenuItem icon="trash" kind="danger" onSelect={remove}>
            {texts.deleteMessage}
          </MenuItem>
        </Menu>
      </div>
    </article>
  )
})
