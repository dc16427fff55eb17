import { useSyncExternalStore } from 'react'

/**
 * Soft keyboards have no Shift+Enter: with them, Enter begins a line, and a button sends. They open when a field gets the
 * focus, so the page never focuses a field unasked.
 */
export const softKeyboard = window.matchMedia('(hover: none)')

/** Matches windows that are too narrow for two columns, as in `app-shell.css` and `compare.css`. */
const query = window.matchMedia('(max-width: 52rem)')

export function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      query.addEventListener('change', listener)
      return () => query.removeEventListener('change', listener)
    },
    () => query.matches,
  )
}
