import { isValidElement, type ReactNode } from 'react'

export interface ReadCode {
  readonly code: string
  readonly language: string
}

/** The text and language of the `<code>` element that Markdown puts into every `<pre>`. */
export function readCode(children: ReactNode): ReadCode {
  if (!isValidElement<{ className?: string; children?: ReactNode }>(children))
    return { code: '', language: '' }
  const { className = '', children: content } = children.props
  const code = (typeof content === 'string' ? content : '').replace(/\n$/, '')
  return { code, language: /language-(\S+)/.exec(className)?.[1] ?? '' }
}
