import { isValidElement, type ReactNode } from 'react'

export interface ReadCode {
  readonly code: string
  readonly language: string
  /** Not code, but a formula on lines of its own. */
  readonly isMath: boolean
}

/** The text and language of the `<code>` element that Markdown puts into every `<pre>`. */
export function readCode(children: ReactNode): ReadCode {
  if (!isValidElement<{ className?: string; children?: ReactNode }>(children))
    return { code: '', language: '', isMath: false }
  const { className = '', children: content } = children.props
  const code = (typeof content === 'string' ? content : '').replace(/\n$/, '')
  const language = /language-([\w+#.-]+)/.exec(className)?.[1] ?? ''
  return { code, language, isMath: className.includes('math-display') }
}
