import { useRef } from 'react'

/** After such a pause what is typed begins anew. */
const PAUSE_MS = 700

interface Named {
  readonly name: string
}

/** Letters lead to the entry whose name begins with them; the same letter again leads to the next one. */
export function useTypeahead(): <T extends Named>(
  key: string,
  entries: readonly T[],
  index: number,
) => T | undefined {
  const typed = useRef({ text: '', at: -Infinity })
  return (key, entries, index) => {
    const now = performance.now()
    const isFresh = now - typed.current.at > PAUSE_MS
    // A space belongs to a name that is being typed; else it chooses.
    if (key.length !== 1 || (key === ' ' && (isFresh || typed.current.text === ''))) return undefined
    const text = (isFresh ? '' : typed.current.text) + key.toLowerCase()
    typed.current = { text, at: now }
    return findByName(entries, text, index)
  }
}

/** The next entry, from the present one on, that begins with what was typed. */
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
