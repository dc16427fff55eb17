import { useCallback, useRef, type RefObject } from 'react'

/** Long enough to notice that the button under the pointer has changed. */
const UNSEEN_MS = 400

interface StopGuard {
  readonly noteGone: (focused: boolean) => void
  /** Reports whether a click on Send, or a key in the field, was meant for Stop, which was there a moment ago. */
  readonly wasMeant: (how: 'click' | 'key') => boolean
}

/** Prevents a click or key that was meant for Stop, but came just after the answer ended, from sending the draft. */
export function useStopGuard(field: RefObject<HTMLElement | null>): StopGuard {
  const gone = useRef({ at: -Infinity, focused: false })
  const noteGone = useCallback(
    (focused: boolean) => {
      gone.current = { at: performance.now(), focused }
      // Without keyboard focus, leave the focus alone: on a phone the keyboard would open.
      if (focused) field.current?.focus()
    },
    [field],
  )
  const wasMeant = (how: 'click' | 'key'): boolean => {
    const { at, focused } = gone.current
    return performance.now() - at < UNSEEN_MS && (how === 'click' || focused)
  }
  return { noteGone, wasMeant }
}
