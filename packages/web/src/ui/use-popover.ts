import { type RefObject, type ToggleEvent, useId, useLayoutEffect, useRef, useState } from 'react'

export interface Popover {
  readonly open: boolean
  readonly button: RefObject<HTMLButtonElement | null>
  readonly content: RefObject<HTMLDivElement | null>
  readonly buttonProps: { readonly popoverTarget: string; readonly 'aria-expanded': boolean }
  readonly contentProps: {
    readonly id: string
    readonly popover: 'auto'
    readonly 'data-placed': boolean
    readonly onToggle: (event: ToggleEvent<HTMLElement>) => void
  }
  /** Closes the popover and returns the focus to its button. */
  close(): void
}

/** A native popover that opens at its button. `onOpen` runs when its content is rendered and positioned. */
export function usePopover(onOpen?: (content: HTMLElement) => void): Popover {
  const id = useId()
  const button = useRef<HTMLButtonElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState(false)
  const [placed, setPlaced] = useState(false)
  useLayoutEffect(() => {
    if (open && button.current && content.current) placePopover(button.current, content.current)
    setPlaced(open)
  }, [open])
  useLayoutEffect(() => {
    // An invisible element can't take the focus.
    if (placed && content.current) onOpen?.(content.current)
    // Runs only when it opens.
  }, [placed])
  return {
    open,
    button,
    content,
    buttonProps: { popoverTarget: id, 'aria-expanded': open },
    contentProps: {
      id,
      popover: 'auto',
      'data-placed': placed,
      onToggle: (event) => setOpen(event.newState === 'open'),
    },
    close() {
      content.current?.hidePopover()
      button.current?.focus()
    },
  }
}

const GAP = 4
const EDGE = 8

/** Places an open popover below its button (above it if there is no room), inside the window. */
function placePopover(button: HTMLElement, popover: HTMLElement): void {
  const anchor = button.getBoundingClientRect()
  const { width, height } = popover.getBoundingClientRect()
  const below = anchor.bottom + GAP
  const top = below + height > window.innerHeight - EDGE ? Math.max(EDGE, anchor.top - GAP - height) : below
  const left = Math.min(anchor.left, window.innerWidth - EDGE - width)
  popover.style.top = `${top}px`
  popover.style.left = `${Math.max(EDGE, left)}px`
}
