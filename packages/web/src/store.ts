import { useSyncExternalStore } from 'react'

/** A value that changes over time. As `useSyncExternalStore` requires, `get` returns the same object until it changes. */
export interface Store<T> {
  get(): T
  /** Calls back after every change. Returns the function that ends the subscription. */
  subscribe(listener: () => void): () => void
}

export interface WritableStore<T> extends Store<T> {
  set(value: T): void
  update(change: (value: T) => T): void
}

export function createStore<T>(initial: T): WritableStore<T> {
  let value = initial
  const listeners = new Set<() => void>()
  const set = (next: T): void => {
    if (Object.is(next, value)) return
    value = next
    for (const listener of [...listeners]) listener()
  }
  return {
    get: () => value,
    set,
    update: (change) => set(change(value)),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Returns the part of a store that a component shows. `select` must return the same value for the same state. */
export function useStore<T, S = T>(
  store: Store<T>,
  select: (state: T) => S = (state) => state as unknown as S,
): S {
  return useSyncExternalStore(store.subscribe, () => select(store.get()))
}
