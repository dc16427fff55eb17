import { createStore, type Store } from '../state/store.ts'

/** Dialogs that open from several places: buttons and shortcuts. */
export type DialogName = 'settings' | 'preferences' | 'shortcuts'

export interface Dialogs extends Store<DialogName | undefined> {
  /** One at a time: another one that is open is closed. */
  open(name: DialogName): void
  close(): void
}

export function createDialogs(): Dialogs {
  const store = createStore<DialogName | undefined>(undefined)
  return { get: store.get, subscribe: store.subscribe, open: store.set, close: () => store.set(undefined) }
}
