import { memo, useMemo } from 'react'
import { CodeBlock } from './code-block.tsx'
import { MarkdownBlock } from './markdown-block.tsx'
import { PlainOnError } from './plain-on-error.tsx'
import { fencedCode, splitBlocks } from './split-blocks.ts'
import type { MarkdownProps } from './markdown.tsx'

/** A module of its own, with the parser: loaded with the first message that is shown. */
export const DrawnMarkdown = memo(function DrawnMarkdown({ text, growing = false }: MarkdownProps) {
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
