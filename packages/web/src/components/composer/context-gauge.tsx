import { useEffect, useState } from 'react'
import { useServices } from '../../app/services.ts'
import { contextLevel, usedContext } from '../../chat/context-use.ts'
import type { Message } from '../../chat/types.ts'
import { formatCount } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import type { ModelInfo } from '../../api/models.ts'
import { countTokens } from '../../api/tokenize.ts'
import './context-gauge.css'

interface ContextGaugeProps {
  readonly path: readonly Message[]
  /** Tokens of the draft; undefined until they are counted. */
  readonly draft: number | undefined
  /** Tokens of the model's context. */
  readonly limit: number
}

/** Shows how much of the model's context the chat and the draft take. */
export function ContextGauge({ path, draft, limit }: ContextGaugeProps) {
  const { answers } = useServices()
  const texts = useTexts()
  const lastId = path.at(-1)?.id
  const live = useStore(answers.live, (all) => (lastId ? all.get(lastId) : undefined))
  const chat = usedContext(path, live)
  const level = contextLevel({ chat, draft, limit })
  const tokens = chat + (draft ?? 0)
  // A new chat needs no figures.
  if (tokens === 0) return null
  const words = texts.contextUsed(formatCount(tokens), formatCount(limit))
  const detail = draft ? `${words} ${texts.contextDraft(formatCount(draft))}` : words
  return (
    <span className="context" data-level={level} title={detail}>
      {level === 'full' && <span>{texts.contextFull}</span>}
      {level === 'draft-too-long' && <span role="alert">{texts.draftTooLong}</span>}
      <meter
        className="context-meter"
        aria-label={texts.context}
        aria-valuetext={detail}
        min={0}
        max={limit}
        value={Math.min(tokens, limit)}
      />
      <span aria-hidden="true">{texts.contextShort(formatCount(tokens), formatCount(limit))}</span>
    </span>
  )
}

/** The pause after which typing counts as finished. */
const PAUSE_MS = 400

/** Counts the tokens of a draft in typing pauses. Undefined until then, and while the model is not loaded. */
export function useDraftTokens(model: ModelInfo | undefined, text: string): number | undefined {
  const [counted, setCounted] = useState<{
    readonly text: string
    readonly model: string
    readonly tokens: number
  }>()
  const id = model?.id
  // A request would load the model.
  const loaded = model?.state.name === 'ready' || model?.state.name === 'degraded'
  useEffect(() => {
    if (!loaded || id === undefined || text === '') return undefined
    const abort = new AbortController()
    const timer = setTimeout(() => {
      countTokens({ model: id, prompt: text, add_special_tokens: false }, { signal: abort.signal })
        .then(({ tokens }) => setCounted({ text, model: id, tokens }))
        // The count is optional: the page works without it.
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
