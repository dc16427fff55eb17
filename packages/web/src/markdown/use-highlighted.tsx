import { useEffect, useRef, useState, type ReactNode } from 'react'
import type { Highlighter } from './highlighter.ts'

/** Longer code stays in one colour: finding the colours would take longer than a blink. */
const MAX_LENGTH = 60_000
/** A growing text is coloured again after so many times the time that it took. */
const PAUSE_PER_COST = 15
const MIN_PAUSE_MS = 150

interface Coloured {
  readonly code: string
  readonly language: string
  readonly nodes: ReactNode
}

let loaded: Highlighter | undefined

/** The code in colours, as far as they are known: what was written since is plain, and nothing waits for it. */
export function useHighlighted(code: string, language: string, growing: boolean): ReactNode {
  const [coloured, setColoured] = useState<Coloured>()
  const nextAt = useRef(0)
  const wanted = language !== '' && code.length <= MAX_LENGTH
  useEffect(() => {
    if (!wanted) return undefined
    let current = true
    const colour = async (): Promise<void> => {
      loaded ??= (await import('./highlighter.ts')).highlighter
      if (!current) return
      const begin = performance.now()
      const nodes = loaded(code, language)
      const end = performance.now()
      nextAt.current = end + Math.max(MIN_PAUSE_MS, (end - begin) * PAUSE_PER_COST)
      if (nodes) setColoured({ code, language, nodes })
    }
    const timer = setTimeout(() => void colour(), growing ? nextAt.current - performance.now() : 0)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [code, language, growing, wanted])
  if (!coloured || coloured.language !== language || !code.startsWith(coloured.code)) return code
  const rest = code.slice(coloured.code.length)
  return rest ? [coloured.nodes, rest] : coloured.nodes
}
