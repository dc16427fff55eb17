import { memo } from 'react'
import { useServices } from '../../app/services.ts'
import type { Message } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Button, IconButton } from '../../ui/button.tsx'
import { AttachmentList } from '../composer/attachment-chip.tsx'
import { CopyButton } from '../../ui/copy-button.tsx'
import { Menu, MenuItem } from '../../ui/menu.tsx'
import { messageElementId } from '../element-ids.ts'
import { FarMessage } from './far-message.tsx'
import { useDeleteMessage } from './use-delete-message.ts'
import { MessageEditor } from './message-editor.tsx'
import { useMessageEdit } from './use-message-edit.ts'
import { VersionSwitcher } from './version-switcher.tsx'
import './message.css'

interface UserMessageViewProps {
  readonly message: Message
  /** Whether the message is close to the viewport: otherwise its plain text is enough. */
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
  const edit = useMessageEdit(message)
  const remove = useDeleteMessage(message)
  if (edit.open) return <MessageEditor key={message.id} message={message} edit={edit} />
  if (!near) return <FarMessage id={message.id} name={texts.you} text={message.content} />
  return (
    <article
      id={messageElementId(message.id)}
      tabIndex={-1}
      className="message user-message"
      aria-label={texts.you}
    >
      <AttachmentList attachments={message.attachments ?? []} />
      {message.content && (
        <div className="user-bubble" dir="auto">
          {message.content}
        </div>
      )}
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
          data-focus-home
          onClick={edit.begin}
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
