import { memo } from 'react'
import type { Message } from '../chat/types.ts'
import { useTexts } from '../i18n/texts.ts'
import { CopyButton } from './copy-button.tsx'
import './message.css'

export const UserMessageView = memo(function UserMessageView({ message }: { readonly message: Message }) {
  const texts = useTexts()
  return (
    <article className="message user-message" aria-label={texts.you}>
      <div className="user-bubble">{message.content}</div>
      <div className="message-actions">
        <CopyButton text={message.content} label={texts.copy} />
      </div>
    </article>
  )
})
