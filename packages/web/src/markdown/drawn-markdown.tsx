import { memo, type RefObject, useEffect, useId, useRef, useState } from 'react'
import { type Block, GrowingBlocks } from './growing-blocks.ts'
import { MarkdownBlock } from './markdown-block.tsx'
import { PlainOnError } from './plain-on-error.tsx'

export interface MarkdownProps {
  readonly text: string
  /** More text is coming: the last block is shown as often as it can be, not as often as it changes. */
  readonly growing?: boolean
}

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

/** Of the time, at most one part in so many goes into showing a growing text. */
const PAUSE_PER_COST = 4
/** Cheap texts are shown with every change. */
const CHEAP_MS = 4

/**
 * A text that changes often, slowed down to what showing it costs: the dearer the last time was, the later the next.
 * Once it doesn't grow any more, it is the text itself.
 */
function usePaced(text: string, growing: boolean, costMs: RefObject<number>): string {
  const [shown, setShown] = useState(text)
  const shownAt = useRef(0)
  const last = useRef(text)
  const isCheap = !growing || costMs.current <= CHEAP_MS
  // Never back: after cheap changes, what the timer has set may be older than what is drawn.
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
