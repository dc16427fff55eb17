import { isValidElement, type ReactNode } from 'react'
import { CopyButton } from '../components/copy-button.tsx'
import { useTexts } from '../i18n/texts.ts'
import './code-block.css'

/** A block of code with its language and a button to copy it. */
export function CodeBlock({ children }: { readonly children?: ReactNode }) {
  const texts = useTexts()
  const { code, language } = readCode(children)
  return (
    <div className="code-block">
      <div className="code-head">
        <span className="code-language">{language}</span>
        <CopyButton text={code} label={texts.copyCode} />
      </div>
      <pre tabIndex={0}>
        <code>{code}</code>
      </pre>
    </div>
  )
}

/** The text and language of the `<code>` element that Markdown puts into every `<pre>`. */
function readCode(children: ReactNode): { readonly code: string; readonly language: string } {
  if (!isValidElement<{ className?: string; children?: ReactNode }>(children))
    return { code: '', language: '' }
  const { className = '', children: content } = children.props
  const code = (typeof content === 'string' ? content : '').replace(/\n$/, '')
  return { code, language: /language-([\w+#.-]+)/.exec(className)?.[1] ?? '' }
}
