import type { Texts } from '../i18n/en.ts'
import { createStore, type Store } from './store.ts'

/** Texts of the catalogue that need no argument. */
export type PlainText = { [K in keyof Texts]: Texts[K] extends string ? K : never }[keyof Texts]

export interface Notice {
  readonly id: number
  readonly text: PlainText
  readonly action?: { readonly label: PlainText; readonly run: () => void } | undefined
}

export interface NoticesStore extends Store<readonly Notice[]> {
  /** The same text is never shown twice at once. */
  show(notice: Omit<Notice, 'id'>): void
  dismiss(id: number): void
}

/** Short messages at the edge of the page: what happened, and how to take it back. */
export function createNotices(): NoticesStore {
  const store = createStore<readonly Notice[]>([])
  let nextId = 1
  return {
    get: store.get,
    subscribe: store.subscribe,
    show(notice) {
      const id = nextId++
      store.update((notices) => [...notices.filter(({ text }) => text !== notice.text), { ...notice, id }])
    },
    dismiss: (id) => store.update((notices) => notices.filter((notice) => notice.id !== id)),
  }
}
