import type { KeyboardEvent } from 'react'
import { pressedKey } from '../../ui/pressed-key.ts'

const LINKS = 'a.chat-link'

/**
 * Arrows, Home and End move through the links of a list, which are one stop of the Tab key. `onLeave`: above the first.
 */
export function moveInList(event: KeyboardEvent<HTMLElement>, onLeave?: () => void): void {
  const links = linksIn(event.currentTarget)
  // The button of a chat's menu stands for its chat.
  const item = (event.target as Element).closest('li')
  const index = links.findIndex((link) => item?.contains(link))
  const key = pressedKey(event) ?? ''
  if (event.altKey || event.ctrlKey || event.metaKey || index === -1) return
  const target = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: links.length - 1 }[key]
  if (target === undefined || (event.target as Element).matches('input, [role=menuitem]')) return
  event.preventDefault()
  if (target === -1) onLeave?.()
  else links[target]?.focus()
}

/** Goes into a list from what is above it. False where it is empty. */
export function focusFirstIn(list: HTMLElement | null): boolean {
  const first = list ? linksIn(list)[0] : undefined
  first?.focus()
  return first !== undefined
}

function linksIn(list: HTMLElement): readonly HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>(LINKS)]
}
