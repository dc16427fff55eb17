import { useEffect, useRef } from 'react'
import { useServices } from '../../app/services.ts'
import { pressedKey } from '../../ui/pressed-key.ts'
import { isApple } from './key-words.ts'
import { runShortcut, type SidebarControls } from './run-shortcut.ts'
import { findShortcut, type Shortcut } from './shortcuts.ts'

/** Handles the page's shortcuts. Fields, menus and dialogs handle a key first. */
export function useShortcuts(sidebar: SidebarControls): void {
  const services = useServices()
  const current = useRef(sidebar)
  useEffect(() => {
    current.current = sidebar
  })
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || pressedKey(event) === undefined || isCovered()) return
      const shortcut = findShortcut(event, isApple)
      if (!shortcut?.action || belongsToField(event.target, shortcut)) return
      if (event.repeat && !shortcut.repeats) event.preventDefault()
      else if (runShortcut(shortcut.action, services, current.current)) event.preventDefault()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [services])
}

/** Reports whether a dialog or a menu covers the page. */
function isCovered(): boolean {
  return document.querySelector('dialog[open], :popover-open') !== null
}

function belongsToField(target: EventTarget | null, { movesInFields, notInFields }: Shortcut): boolean {
  if (notInFields) return target instanceof Element && target.matches('input, textarea, select')
  if (!movesInFields) return false
  if (target instanceof HTMLSelectElement) return true
  const isField = target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement
  return isApple && isField && target.value !== ''
}
