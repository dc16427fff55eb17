import { useEffect, useState } from 'react'
import { useTexts } from '../i18n/texts.ts'
import { IconButton } from './button.tsx'
import { copyText } from './copy-text.ts'

const SHOWN_MS = 1600

/** Copies a text and confirms that for a moment. */
export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const texts = useTexts()
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return undefined
    const timer = setTimeout(() => setCopied(false), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <>
      <IconButton
        size="small"
        icon={copied ? 'check' : 'copy'}
        label={copied ? texts.copied : label}
        onClick={() => void copyText(text).then(setCopied)}
      />
      <span className="visually-hidden" role="status">
        {copied ? texts.copied : ''}
      </span>
    </>
  )
}
