import { createStore, type Store } from '../store.ts'

export interface StoredValue<T> extends Store<T> {
  set(value: T): void
}

export interface StoredValueOptions<T> {
  /** Undefined if the browser refuses storage: then the value lives as long as the page. */
  readonly storage: Storage | undefined
  /** The source of other tabs' changes: the window. */
  readonly events?: Pick<Window, 'addEventListener'> | undefined
  readonly key: string
  /** Parses a stored value from any version of the page; gets `undefined` if nothing is stored. */
  readonly parse: (value: unknown) => T
}

/** Creates a store for a small value in `localStorage`, synchronized with the other tabs. */
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
        // Storage is full or refused: the choice holds until the page is closed.
      }
    },
  }
}

/** Returns `localStorage`; undefined if the browser refuses storage, since reading the property throws then. */
export function localStorageOrNone(): Storage | undefined {
  try {
    return window.localStorage
  } catch {
    return undefined
  }
}
