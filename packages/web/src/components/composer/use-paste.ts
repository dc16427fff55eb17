import { useState, type ClipboardEvent } from 'react'
import { isLongPaste } from '../../chat/read-attachment.ts'

export interface Paste {
  /** A long text that was pasted and is still in the field as it was; empty where there is none. */
  readonly long: string
  readonly onPaste: (event: ClipboardEvent) => void
  dismiss(): void
}

/** Watches what is pasted into a field with `text`: files are taken, long texts are remembered. */
export function usePaste(text: string, onFiles: (files: FileList) => void): Paste {
  const [pasted, setPasted] = useState('')
  return {
    long: pasted !== '' && text.includes(pasted) ? pasted : '',
    onPaste(event) {
      const { files } = event.clipboardData
      const words = event.clipboardData.getData('text/plain').replace(/\r\n?/g, '\n')
      if (isLongPaste(words)) setPasted(words)
      // Word processors put a picture of the text beside the text.
      if (words !== '' || files.length === 0) return
      event.preventDefault()
      onFiles(files)
    },
    dismiss: () => setPasted(''),
  }
}
