import { memo, useMemo } from 'react'
import { CodeBlock } from './code-block.tsx'
import { MarkdownBlock } from './markdown-block.tsx'
import { PlainOnError } from './plain-on-error.tsx'
import { fencedCode, splitBlocks } from './split-blocks.ts'
import './markdown.css'

interface MarkdownProps {
  readonly text: string
  /** More text is coming: the last block is shown as often as it can be, not as often as it changes. */
  readonly growing?: boolean
}

/** Model text as Markdown: raw HTML stays text, nothing is fetched, links ask first. */
export const Markdown = memo(function Markdown({ text, growing = false }: MarkdownProps) {
  const blocks = useMemo(() => splitBlocks(text), [text])
  return (
    <div className="markdown">
      {blocks.map((block, index) => (
        <Block key={index} text={block} growing={growing && index === blocks.length - 1} />
      ))}
    </div>
  )
})

/** A block that is complete is rendered once. */
const Block = memo(function Block({ text, growing }: { readonly text: string; readonly growing: boolean }) {
  const fence = fencedCode(text)
  return (
    <PlainOnError text={text}>
      {fence ? <CodeBlock {...fence} growing={growing} /> : <MarkdownBlock text={text} growing={growing} />}
    </PlainOnError>
  )
})
