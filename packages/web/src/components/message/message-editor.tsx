import { useEffect, useRef, useState, type KeyboardEvent } from 'react'
import { useServices } from '../../app/services.ts'
import type { Message } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Button } from '../button.tsx'
import { AttachmentList } from '../composer/attachment-chip.tsx'
import { useFittedHeight } from '../composer/fitted-height.ts'

interface MessageEditorProps {
  readonly message: Message
  readonly onClose: () => void
}

/** A reader's message while it is changed: sending it makes a new branch, the old one stays as a version. */
export function MessageEditor({ message, onClose }: MessageEditorProps) {
  const { conversation } = useServices()
  const texts = useTexts()
  const [text, setText] = useState(message.content)
  const field = useRef<HTMLTextAreaElement>(null)
  useFittedHeight(field, text)
  useEffect(() => {
    const { current } = field
    current?.focus()
    current?.setSelectionRange(current.value.length, current.value.length)
  }, [])
  const [attachments, setAttachments] = useState(message.attachments ?? [])
  const ready = text.trim() !== '' || attachments.length > 0
  const send = (): void => {
    if (!ready) return
    onClose()
    conversation.edit(message.chatId, message.id, { text: text.trim(), attachments })
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') onClose()
    else if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) send()
    else return
    event.preventDefault()
  }
  return (
    <article className="message user-message" aria-label={texts.you}>
      <div className="message-editor">
        <AttachmentList
          attachments={attachments}
          onRemove={(id) => setAttachments(attachments.filter((other) => other.id !== id))}
        />
        <textarea
          ref={field}
          value={text}
          aria-label={texts.editField}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
        />
        <div className="message-editor-actions">
          <span className="message-editor-hint">{texts.editHint}</span>
          <Button onClick={onClose}>{texts.cancel}</Button>
          <Button kind="primary" disabled={!ready} onClick={send}>
            {texts.send}
          </Button>
        </div>
      </div>
    </article>
  )
}
