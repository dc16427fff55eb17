import { useSyncExternalStore } from 'react'

/**
 * Soft keyboards have no Shift+Enter: there Enter begins a line, and buttons send. They open with the focus of a field,
 * so that no field is given it unasked.
 */
export const softKeyboard = window.matchMedia('(hover: none)')

/** Too narrow for two columns: as in `app-shell.css` and `compare.css`. */
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
