import { useMemo, useState } from 'react'
import { byteLength, readableEncodings, rereadAttachment } from '../../chat/read-attachment.ts'
import type { Attachment } from '../../chat/types.ts'
import { formatBytes } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { CopyButton } from '../../ui/copy-button.tsx'
import { Icon } from '../../ui/icon.tsx'
import { Modal } from '../../ui/modal.tsx'
import './attachment-chip.css'

interface AttachmentChipProps {
  readonly attachment: Attachment
  /** Missing if the message was sent. */
  readonly onRemove?: (() => void) | undefined
  /** Called with the file reread in another encoding. */
  readonly onChange?: ((attachment: Attachment) => void) | undefined
}

/** A file of a message; a click shows its text. */
function AttachmentChip({ attachment, onRemove, onChange }: AttachmentChipProps) {
  const texts = useTexts()
  const [open, setOpen] = useState(false)
  const { name, text, encoding } = attachment
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
        <span className="attachment-size">{encoding ? `${size}, ${encodingName(encoding)}` : size}</span>
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
            {encoding && <EncodingField attachment={attachment} onChange={onChange} />}
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

interface EncodingFieldProps {
  readonly attachment: Attachment
  readonly onChange: ((attachment: Attachment) => void) | undefined
}

/** The guessed encoding; while the bytes are available, the reader can choose another one. */
function EncodingField({ attachment, onChange }: EncodingFieldProps) {
  const texts = useTexts()
  const choices = useMemo(() => (onChange ? readableEncodings(attachment) : []), [attachment, onChange])
  const { encoding = 'utf-8' } = attachment
  if (choices.length < 2) return <span>{encodingName(encoding)}</span>
  return (
    <label className="attachment-encoding">
      {texts.encoding}
      <select
        value={encoding}
        onChange={(event) => onChange?.(rereadAttachment(attachment, event.target.value))}
      >
        {choices.map((choice) => (
          <option key={choice} value={choice}>
            {encodingName(choice)}
          </option>
        ))}
      </select>
    </label>
  )
}

/** Returns the usual spelling of an encoding. */
function encodingName(encoding: string): string {
  if (encoding === 'gb18030') return 'GBK'
  if (encoding === 'shift_jis') return 'Shift_JIS'
  if (encoding === 'big5') return 'Big5'
  if (encoding.startsWith('windows')) return encoding.replace('w', 'W')
  return encoding.toUpperCase()
}

interface AttachmentListProps {
  readonly attachments: readonly Attachment[]
  readonly onRemove?: ((id: string) => void) | undefined
  readonly onChange?: ((attachment: Attachment) => void) | undefined
}

export function AttachmentList({ attachments, onRemove, onChange }: AttachmentListProps) {
  const texts = useTexts()
  if (attachments.length === 0) return null
  return (
    <ul className="attachments" aria-label={texts.attachments}>
      {attachments.map((attachment) => (
        <li key={attachment.id}>
          <AttachmentChip
            attachment={attachment}
            onRemove={onRemove && (() => onRemove(attachment.id))}
            onChange={onChange}
          />
        </li>
      ))}
    </ul>
  )
}
