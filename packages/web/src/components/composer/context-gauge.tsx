import { useServices } from '../../app/services.ts'
import { contextLevel, usedContext } from '../../chat/context-use.ts'
import type { Message } from '../../chat/types.ts'
import { formatCount } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../state/use-store.ts'
import './context-gauge.css'

interface ContextGaugeProps {
  readonly path: readonly Message[]
  /** Tokens of what is being written; undefined while they are not counted. */
  readonly draft: number | undefined
  /** Tokens that the model can hold. */
  readonly limit: number
}

/** How much of the model's context the chat takes, and the draft with it. */
export function ContextGauge({ path, draft, limit }: ContextGaugeProps) {
  const { answers } = useServices()
  const texts = useTexts()
  const lastId = path.at(-1)?.id
  const live = useStore(answers.live, (all) => (lastId ? all.get(lastId) : undefined))
  const chat = usedContext(path, live)
  const level = contextLevel({ chat, draft, limit })
  const tokens = chat + (draft ?? 0)
  // A chat that has not begun needs no figures.
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
