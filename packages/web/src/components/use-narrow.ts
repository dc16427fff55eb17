import { useSyncExternalStore } from 'react'

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
