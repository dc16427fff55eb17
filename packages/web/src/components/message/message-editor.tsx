import { useEffect, useRef, type KeyboardEvent } from 'react'
import { useServices } from '../../app/services.ts'
import { softKeyboard } from '../../ui/device.ts'
import type { Message } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Button } from '../../ui/button.tsx'
import { AttachmentList } from '../composer/attachment-chip.tsx'
import { useFittedHeight } from '../../ui/use-fitted-height.ts'
import { messageElementId } from '../element-ids.ts'
import { pressedKey } from '../../ui/pressed-key.ts'
import type { MessageEdit } from './use-message-edit.ts'

interface MessageEditorProps {
  readonly message: Message
  readonly edit: MessageEdit
}

/** The editor of a reader's message: sending makes a new branch, and the old message stays as a version. */
export function MessageEditor({ message, edit }: MessageEditorProps) {
  const { conversation } = useServices()
  const texts = useTexts()
  const { text, attachments } = edit
  const field = useRef<HTMLTextAreaElement>(null)
  useFittedHeight(field, text)
  useEffect(() => {
    const { current } = field
    // An editor that was left open does not take the focus when its chat is shown again.
    if (!current || !edit.takeFocus()) return
    current.focus()
    current.setSelectionRange(current.value.length, current.value.length)
  }, [])
  const ready = text.trim() !== '' || attachments.length > 0
  const send = (): void => {
    if (!ready) return
    edit.discard()
    conversation.edit(message.chatId, message.id, { text: text.trim(), attachments })
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const key = pressedKey(event)
    if (key === 'Escape') edit.fold()
    else if (key === 'Enter' && !event.shiftKey && !softKeyboard.matches) send()
    else return
    event.preventDefault()
  }
  return (
    <article id={messageElementId(message.id)} className="message user-message" aria-label={texts.you}>
      <div className="message-editor">
        <AttachmentList
          attachments={attachments}
          onChange={(changed) =>
            edit.change({
              attachments: attachments.map((other) => (other.id === changed.id ? changed : other)),
            })
          }
          onRemove={(id) => edit.change({ attachments: attachments.filter((other) => other.id !== id) })}
        />
        <textarea
          ref={field}
          dir="auto"
          value={text}
          aria-label={texts.editField}
          onChange={(event) => edit.change({ text: event.target.value })}
          onKeyDown={onKeyDown}
        />
        <div className="message-editor-actions">
          <span className="message-editor-hint">{texts.editHint}</span>
          <Button onClick={edit.discard}>{texts.cancel}</Button>
          <Button kind="primary" disabled={!ready} onClick={send}>
            {texts.send}
          </Button>
        </div>
      </div>
    </article>
  )
}
