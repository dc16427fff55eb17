const GAP = 4
const EDGE = 8

/** Puts an open popover under its button (over it where there is no room), inside the window. */
export function placePopover(button: HTMLElement, popover: HTMLElement): void {
  const anchor = button.getBoundingClientRect()
  const { width, height } = popover.getBoundingClientRect()
  const below = anchor.bottom + GAP
  const top = below + height > window.innerHeight - EDGE ? Math.max(EDGE, anchor.top - GAP - height) : below
  const left = Math.min(anchor.left, window.innerWidth - EDGE - width)
  popover.style.top = `${top}px`
  popover.style.left = `${Math.max(EDGE, left)}px`
}
