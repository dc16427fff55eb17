import { createStore, type Store } from '../store.ts'

export interface StoredValue<T> extends Store<T> {
  set(value: T): void
}

export interface StoredValueOptions<T> {
  /** Undefined where the browser refuses storage: then the value lives as long as the page. */
  readonly storage: Storage | undefined
  /** Where other tabs' changes are told: the window. */
  readonly events?: Pick<Window, 'addEventListener'> | undefined
  readonly key: string
  /** Reads whatever is stored, from any version of the page; `undefined` where there is nothing. */
  readonly parse: (value: unknown) => T
}

/** A small value in `localStorage`, in step with the other tabs. */
export function createStoredValue<T>({ storage, events, key, parse }: StoredValueOptions<T>): StoredValue<T> {
  const read = (): T => {
    try {
      return parse(JSON.parse(storage?.getItem(key) ?? 'null'))
    } catch {
      return parse(undefined)
    }
  }
  const store = createStore(read())
  events?.addEventListener('storage', (event) => {
    if (event.key === key || event.key === null) store.set(read())
  })
  return {
    get: store.get,
    subscribe: store.subscribe,
    set(value) {
      store.set(value)
      try {
        storage?.setItem(key, JSON.stringify(value))
      } catch {
        // Storage full or refused: the choice holds until the page is closed.
      }
    },
  }
}

/** Reading `localStorage` throws where the browser refuses storage. */
export function localStorageOrNone(): Storage | undefined {
  try {
    return window.localStorage
  } catch {
    return undefined
  }
}
