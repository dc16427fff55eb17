import { createStore, type Store } from '../store.ts'

/** Dialogs that open from several places: buttons and shortcuts. */
export type DialogName = 'settings' | 'tools' | 'preferences' | 'shortcuts'

export interface OpenDialog {
  readonly name: DialogName
  /** The chat that the dialog is about, if it is not the chat of the page's address. */
  readonly chatId: string | undefined
}

export interface Dialogs extends Store<OpenDialog | undefined> {
  /** Closes the dialog that is open: only one is open at a time. */
  open(name: DialogName, chatId?: string): void
  close(): void
}

export function createDialogs(): Dialogs {
  const store = createStore<OpenDialog | undefined>(undefined)
  return {
    get: store.get,
    subscribe: store.subscribe,
    open: (name, chatId) => store.set({ name, chatId }),
    close: () => store.set(undefined),
  }
}
