import { useEffect, useState } from 'react'
import type { DrawnMarkdown, MarkdownProps } from './drawn-markdown.tsx'
import { PlainOnError } from './plain-on-error.tsx'
import './markdown.css'

type Drawn = typeof DrawnMarkdown

let loaded: Drawn | undefined

/** Fetches the parser, which a page without messages does not need. */
export async function loadMarkdown(): Promise<Drawn> {
  return (loaded ??= (await import('./drawn-markdown.tsx')).DrawnMarkdown)
}

/** Model text as Markdown: it fetches nothing, and links ask first. Shows plain text until the parser is loaded. */
export function Markdown(props: MarkdownProps) {
  const [Drawn, setDrawn] = useState<Drawn | undefined>(() => loaded)
  useEffect(() => {
    if (Drawn) return undefined
    let current = true
    loadMarkdown().then(
      (component) => current && setDrawn(() => component),
      // No server: the text stays plain, and the next message tries again.
      () => {},
    )
    return () => {
      current = false
    }
  }, [Drawn])
  return Drawn ? (
    <PlainOnError text={props.text}>
      <Drawn {...props} />
    </PlainOnError>
  ) : (
    <div className="markdown">
      <p className="plain">{props.text}</p>
    </div>
  )
}
