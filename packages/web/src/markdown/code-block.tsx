import { memo } from 'react'
import { CopyButton } from '../components/copy-button.tsx'
import { useTexts } from '../i18n/texts.ts'
import { useHighlighted } from './use-highlighted.tsx'
import './code-block.css'

interface CodeBlockProps {
  readonly code: string
  /** As the fence names it; empty where it doesn't. */
  readonly language: string
  readonly growing: boolean
}

/** A block of code with its language, its colours, and a button to copy it. */
export const CodeBlock = memo(function CodeBlock({ code, language, growing }: CodeBlockProps) {
  const texts = useTexts()
  const highlighted = useHighlighted(code, language, growing)
  return (
    <div className="code-block">
      <div className="code-head">
        <span className="code-language">{language}</span>
        <CopyButton text={code} label={texts.copyCode} />
      </div>
      <pre tabIndex={0} dir="ltr">
        <code>{highlighted}</code>
      </pre>
    </div>
  )
})
