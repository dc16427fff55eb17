import { useState } from 'react'
import { byteLength } from '../../chat/read-attachment.ts'
import type { Attachment } from '../../chat/types.ts'
import { formatBytes } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { CopyButton } from '../copy-button.tsx'
import { Icon } from '../icon.tsx'
import { Modal } from '../modal.tsx'
import './attachment-chip.css'

interface AttachmentChipProps {
  readonly attachment: Attachment
  /** Left out where the message was sent. */
  readonly onRemove?: (() => void) | undefined
}

/** A file of a message: opens it to be read. */
function AttachmentChip({ attachment, onRemove }: AttachmentChipProps) {
  const texts = useTexts()
  const [open, setOpen] = useState(false)
  const { name, text } = attachment
  const size = formatBytes(byteLength(text))
  return (
    <span className="attachment">
      <button
        type="button"
        className="attachment-open"
        aria-label={texts.openAttachment(name, size)}
        onClick={() => setOpen(true)}
      >
        <Icon name="file" size={17} />
        <span className="attachment-name" dir="auto">
          {name}
        </span>{' '}
        <span className="attachment-size">{size}</span>
      </button>
      {onRemove && (
        <button
          type="button"
          className="attachment-remove"
          aria-label={texts.removeAttachment(name)}
          title={texts.removeAttachment(name)}
          onClick={onRemove}
        >
          <Icon name="close" size={15} />
        </button>
      )}
      {open && (
        <Modal title={name} size="wide" onClose={() => setOpen(false)}>
          <div className="attachment-head">
            {size}
            <CopyButton text={text} label={texts.copy} />
          </div>
          <pre className="attachment-text" dir="auto" tabIndex={0}>
            {text}
          </pre>
        </Modal>
      )}
    </span>
  )
}

interface AttachmentListProps {
  readonly attachments: readonly Attachment[]
  readonly onRemove?: ((id: string) => void) | undefined
}

export function AttachmentList({ attachments, onRemove }: AttachmentListProps) {
  const texts = useTexts()
  if (attachments.length === 0) return null
  return (
    <ul className="attachments" aria-label={texts.attachments}>
      {attachments.map((attachment) => (
        <li key={attachment.id}>
          <AttachmentChip attachment={attachment} onRemove={onRemove && (() => onRemove(attachment.id))} />
        </li>
      ))}
    </ul>
  )
}
