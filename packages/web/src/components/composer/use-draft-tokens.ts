import { useEffect, useState } from 'react'
import type { ModelInfo } from '../../api/models.ts'
import { countTokens } from '../../api/tokenize.ts'

/** Typing is over for now. */
const PAUSE_MS = 400

/** Tokens of what is being written, counted in its pauses. Undefined until then, and while the model is not loaded. */
export function useDraftTokens(model: ModelInfo | undefined, text: string): number | undefined {
  const [counted, setCounted] = useState<{
    readonly text: string
    readonly model: string
    readonly tokens: number
  }>()
  const id = model?.id
  // Asking would load it.
  const loaded = model?.state.name === 'ready' || model?.state.name === 'degraded'
  useEffect(() => {
    if (!loaded || id === undefined || text === '') return undefined
    const abort = new AbortController()
    const timer = setTimeout(() => {
      countTokens({ model: id, prompt: text, add_special_tokens: false }, { signal: abort.signal })
        .then(({ tokens }) => setCounted({ text, model: id, tokens }))
        // A count is a service to the reader: where there is none, nothing is missing.
        .catch(() => {})
    }, PAUSE_MS)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [loaded, id, text])
  if (text === '') return 0
  return counted?.text === text && counted.model === id ? counted.tokens : undefined
}
