import { useRef } from 'react'

/** After this pause, a new search text begins. */
const PAUSE_MS = 700

interface Named {
  readonly name: string
}

/**
 * Returns a function that finds the entry whose name begins with the typed letters; a repeated letter finds the next
 * one.
 */
export function useTypeahead(): <T extends Named>(
  key: string,
  entries: readonly T[],
  index: number,
) => T | undefined {
  const typed = useRef({ text: '', at: -Infinity })
  return (key, entries, index) => {
    const now = performance.now()
    const isFresh = now - typed.current.at > PAUSE_MS
    // A space belongs to a name that is being typed; otherwise it chooses an entry.
    if (key.length !== 1 || (key === ' ' && (isFresh || typed.current.text === ''))) return undefined
    const text = (isFresh ? '' : typed.current.text) + key.toLowerCase()
    typed.current = { text, at: now }
    return findByName(entries, text, index)
  }
}

/** Returns the next entry, from the current one on, that begins with the typed text. */
export function findByName<T extends Named>(
  entries: readonly T[],
  typed: string,
  index: number,
): T | undefined {
  const isRepeated = new Set(typed).size === 1
  const text = isRepeated ? typed[0]! : typed
  const from = isRepeated ? index + 1 : index
  const turned = [...entries.slice(Math.max(0, from)), ...entries.slice(0, Math.max(0, from))]
  return turned.find(({ name }) => name.toLowerCase().startsWith(text))
}
