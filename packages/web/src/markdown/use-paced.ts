import { useEffect, useRef, useState, type RefObject } from 'react'

/** Of the time, at most one part in so many goes into showing a growing text. */
const PAUSE_PER_COST = 4
/** Cheap texts are shown with every change. */
const CHEAP_MS = 4

/**
 * A text that changes often, slowed down to what showing it costs: the dearer the last time was, the later the next.
 * Once it doesn't grow any more, it is the text itself.
 */
export function usePaced(text: string, growing: boolean, costMs: RefObject<number>): string {
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
