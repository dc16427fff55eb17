import { flushSync } from 'react-dom'
import { createStore, type Store } from '../state/store.ts'

/** Whether the page is being printed: all of it is drawn then, not only what is near the visible part. */
export function createPrinting(window: Window): Store<boolean> {
  const printing = createStore(false)
  // The browser takes its picture as soon as this returns.
  window.addEventListener('beforeprint', () => flushSync(() => printing.set(true)))
  window.addEventListener('afterprint', () => printing.set(false))
  return printing
}
