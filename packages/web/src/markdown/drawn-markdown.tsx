import { memo, type RefObject, useEffect, useId, useRef, useState } from 'react'
import { type Block, GrowingBlocks } from './growing-blocks.ts'
import { MarkdownBlock } from './markdown-block.tsx'
import { PlainOnError } from './plain-on-error.tsx'

export interface MarkdownProps {
  readonly text: string
  /** More text is coming: the last block is rendered as often as its cost allows, not at every change. */
  readonly growing?: boolean
}

/** A separate module with the parser, loaded with the first message. */
export const DrawnMarkdown = memo(function DrawnMarkdown({ text, growing = false }: MarkdownProps) {
  const costMs = useRef(0)
  const paced = usePaced(text, growing, costMs)
  const growingBlocks = useRef<GrowingBlocks>(undefined)
  growingBlocks.current ??= new GrowingBlocks()
  const drawn = useRef<readonly Block[]>(undefined)
  const begin = performance.now()
  const blocks = growingBlocks.current.update(paced)
  // An unchanged rendering costs nothing, and does not predict the cost of the next change.
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

/** The pause between renderings of a growing text, as a multiple of the last rendering's duration. */
const PAUSE_PER_COST = 4
/** Texts below this cost are rendered at every change. */
const CHEAP_MS = 4

/**
 * Slows down a text that changes often according to its rendering cost: the longer the last rendering took, the later the
 * next follows. Returns the text itself once it no longer grows.
 */
function usePaced(text: string, growing: boolean, costMs: RefObject<number>): string {
  const [shown, setShown] = useState(text)
  const shownAt = useRef(0)
  const last = useRef(text)
  const isCheap = !growing || costMs.current <= CHEAP_MS
  // Never go back: after cheap changes, the text that the timer set may be older than the rendered one.
  if (isCheap || shown.length > last.current.length || !text.startsWith(last.current))
    last.current = isCheap ? text : shown
  useEffect(() => {
    if (text === shown) return undefined
    const dueInMs = growing ? shownAt.current + costMs.current * PAUSE_PER_COST - performance.now() : 0
    const timer = setTimeout(() => {
      shownAt.current = performance.now()
      setShown(text)
    }, dueInMs)
    return () => clearTimeout(timer)
  }, [text, shown, growing, costMs])
  return last.current
}
