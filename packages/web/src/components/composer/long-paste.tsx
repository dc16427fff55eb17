import { type ClipboardEvent, useState } from 'react'
import { isLongPaste } from '../../chat/read-attachment.ts'
import { formatCount } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Button, IconButton } from '../../ui/button.tsx'

export interface Paste {
  /** A long pasted text that is still unchanged in the field; empty if there is none. */
  readonly long: string
  readonly onPaste: (event: ClipboardEvent) => void
  dismiss(): void
}

/** Handles pastes into a field with `text`: accepts files, remembers long texts. */
export function usePaste(text: string, onFiles: (files: FileList) => void): Paste {
  const [pasted, setPasted] = useState('')
  return {
    long: pasted !== '' && text.includes(pasted) ? pasted : '',
    onPaste(event) {
      const { files } = event.clipboardData
      const words = event.clipboardData.getData('text/plain').replace(/\r\n?/g, '\n')
      if (isLongPaste(words)) setPasted(words)
      // Word processors add an image of the text to the text.
      if (words !== '' || files.length === 0) return
      event.preventDefault()
      onFiles(files)
    },
    dismiss: () => setPasted(''),
  }
}

interface PasteOfferProps {
  readonly length: number
  readonly onAccept: () => void
  readonly onDismiss: () => void
}

/** Offers to attach a long pasted text as a file instead. */
export function PasteOffer({ length, onAccept, onDismiss }: PasteOfferProps) {
  const texts = useTexts()
  return (
    <div className="composer-note" role="status">
      <span>{texts.longPaste(formatCount(length))}</span>
      <Button icon="attach" onClick={onAccept}>
        {texts.attachPaste}
      </Button>
      <IconButton size="small" icon="close" label={texts.dismiss} onClick={onDismiss} />
    </div>
  )
}
