import type { KeyboardEvent } from 'react'
import { pressedKey } from '../../ui/pressed-key.ts'

const LINKS = 'a.chat-link'

/**
 * Moves the focus through the links of a list by arrow keys, Home and End. The list has one tab stop. `onLeave` runs at
 * ↑ on the first link.
 */
export function moveInList(event: KeyboardEvent<HTMLElement>, onLeave?: () => void): void {
  const links = linksIn(event.currentTarget)
  // The menu button of a chat counts as the chat.
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

/** Moves the focus to the first link of a list. Returns false if the list is empty. */
export function focusFirstIn(list: HTMLElement | null): boolean {
  const first = list ? linksIn(list)[0] : undefined
  first?.focus()
  return first !== undefined
}

function linksIn(list: HTMLElement): readonly HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>(LINKS)]
}
