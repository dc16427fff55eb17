import { memo, useId, useRef } from 'react'
import { GrowingBlocks, type Block } from './growing-blocks.ts'
import type { MarkdownProps } from './markdown.tsx'
import { MarkdownBlock } from './markdown-block.tsx'
import { PlainOnError } from './plain-on-error.tsx'
import { usePaced } from './use-paced.ts'

/** A module of its own, with the parser: loaded with the first message that is shown. */
export const DrawnMarkdown = memo(function DrawnMarkdown({ text, growing = false }: MarkdownProps) {
  const costMs = useRef(0)
  const paced = usePaced(text, growing, costMs)
  const growingBlocks = useRef<GrowingBlocks>(undefined)
  growingBlocks.current ??= new GrowingBlocks()
  const drawn = useRef<readonly Block[]>(undefined)
  const begin = performance.now()
  const blocks = growingBlocks.current.update(paced)
  // What is drawn as before costs nothing, and says nothing of what the next change will cost.
  if (blocks !== drawn.current) costMs.current = performance.now() - begin
  drawn.current = blocks
  const idPrefix = `m${useId().replaceAll(/\W/g, '')}-`
  return (
    <div className="markdown">
      {blocks.map((block, index) => {
        const isGrowing = growing && index === blocks.length - 1
        return (
          <PlainOnError key={index} text={block.text}>
            <MarkdownBlock
              block={block}
              idPrefix={idPrefix}
              growing={isGrowing}
              {...(isGrowing && { costMs })}
            />
          </PlainOnError>
        )
      })}
    </div>
  )
})
