import { isValidElement, memo, type ReactNode, useEffect, useRef, useState } from 'react'
import { CopyButton } from '../ui/copy-button.tsx'
import { useTexts } from '../i18n/texts.ts'
import type { Highlighter } from './highlighter.ts'
import './code-block.css'

interface CodeBlockProps {
  readonly code: string
  /** The language that the fence names; empty if it names none. */
  readonly language: string
  readonly growing: boolean
}

/** A block of code with its language, syntax colours, and a copy button. */
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

interface ReadCode {
  readonly code: string
  readonly language: string
}

/** Returns the text and language of the `<code>` element that Markdown puts into every `<pre>`. */
export function readCode(children: ReactNode): ReadCode {
  if (!isValidElement<{ className?: string; children?: ReactNode }>(children))
    return { code: '', language: '' }
  const { className = '', children: content } = children.props
  const code = (typeof content === 'string' ? content : '').replace(/\n$/, '')
  return { code, language: /language-(\S+)/.exec(className)?.[1] ?? '' }
}

/** Longer code stays in one colour: highlighting it would cause a noticeable delay. */
const MAX_LENGTH = 60_000
/** Growing code is highlighted again after this many times the duration of the last highlighting. */
const PAUSE_PER_COST = 15
const MIN_PAUSE_MS = 150

interface Coloured {
  readonly code: string
  readonly language: string
  readonly nodes: ReactNode
}

let loaded: Highlighter | undefined

/** Returns the highlighted code. Code that arrived since the last highlighting is plain, so that nothing waits for it. */
function useHighlighted(code: string, language: string, growing: boolean): ReactNode {
  const [coloured, setColoured] = useState<Coloured>()
  const nextAt = useRef(0)
  const wanted = language !== '' && code.length <= MAX_LENGTH
  useEffect(() => {
    if (!wanted) return undefined
    let current = true
    const colour = async (): Promise<void> => {
      loaded ??= (await import('./highlighter.ts')).highlighter
      if (!current) return
      const begin = performance.now()
      const nodes = loaded(code, language)
      const end = performance.now()
      nextAt.current = end + Math.max(MIN_PAUSE_MS, (end - begin) * PAUSE_PER_COST)
      if (nodes) setColoured({ code, language, nodes })
    }
    const timer = setTimeout(() => void colour(), growing ? nextAt.current - performance.now() : 0)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [code, language, growing, wanted])
  if (!coloured || coloured.language !== language || !code.startsWith(coloured.code)) return code
  const rest = code.slice(coloured.code.length)
  return rest ? [coloured.nodes, rest] : coloured.nodes
}
