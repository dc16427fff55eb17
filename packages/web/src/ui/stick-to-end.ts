import { useCallback, useEffect, useRef, useState, type RefObject } from 'react'

/** Distance from the end, in pixels, that still counts as being there. */
const NEAR = 48

export interface StickToEnd {
  readonly scroller: RefObject<HTMLDivElement | null>
  readonly content: RefObject<HTMLDivElement | null>
  readonly atEnd: boolean
  toEnd(): void
}

/**
 * Keeps the end in view while text arrives, unless the reader has scrolled up. Scrolls to the end when the chat is loaded,
 * and when a new answer begins.
 */
export function useStickToEnd(loaded: boolean, writtenId: string | undefined): StickToEnd {
  const scroller = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const sticks = useRef(true)
  const [atEnd, setAtEnd] = useState(true)
  const toEnd = useCallback(() => {
    sticks.current = true
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight })
  }, [])
  useEffect(toEnd, [toEnd, loaded])
  useEffect(() => {
    if (writtenId !== undefined) toEnd()
  }, [toEnd, writtenId])
  useEffect(() => {
    const frame = scroller.current
    const inside = content.current
    if (!frame || !inside) return undefined
    let top = frame.scrollTop
    const onScroll = (): void => {
      const near = frame.scrollHeight - frame.scrollTop - frame.clientHeight < NEAR
      // Text that arrives between a scroll and its event leaves a gap too: only the reader scrolls up.
      if (near || frame.scrollTop < top) sticks.current = near
      top = frame.scrollTop
      setAtEnd(sticks.current)
    }
    const observer = new ResizeObserver(() => {
      if (sticks.current) frame.scrollTop = frame.scrollHeight
      else onScroll()
    })
    observer.observe(inside)
    observer.observe(frame)
    frame.addEventListener('scroll', onScroll, { passive: true })
    return () => {
      observer.disconnect()
      frame.removeEventListener('scroll', onScroll)
    }
  }, [])
  return { scroller, content, atEnd, toEnd }
}
