import { useId } from 'react'
import type { ModelInfo } from '../api/models.ts'
import { useServices } from '../app/services.ts'
import { useTexts } from '../i18n/texts.ts'
import { SafeLink } from '../markdown/safe-link.tsx'
import { useStore } from '../store.ts'
import { Button } from '../ui/button.tsx'
import { LicenceLink } from './licence-link.tsx'
import './swarm-notice.css'

/**
 * Explains who can read a chat with a model in a swarm, and under which terms. The reader confirms it once for each
 * model; then a link remains that shows it again.
 */
export function SwarmNotice({ model }: { readonly model: ModelInfo | undefined }) {
  const { swarmNotices } = useServices()
  const texts = useTexts()
  const read = useStore(swarmNotices)
  const id = useId()
  if (model?.swarm === undefined) return null
  const others = read.filter((each) => each !== model.id)
  const isRead = others.length < read.length
  if (isRead) {
    return (
      <p className="swarm-notice-again">
        <button type="button" onClick={() => swarmNotices.set(others)}>
          {texts.swarmNoticeAgain}
        </button>
      </p>
    )
  }
  return (
    <div className="swarm-notice" role="note" aria-labelledby={id}>
      <div className="swarm-notice-words">
        <strong id={id}>{texts.swarmNoticeTitle}</strong>{' '}
        {model.swarm === 'public' ? texts.swarmNoticePublic : texts.swarmNoticePrivate}
        <Terms model={model} />
      </div>
      <Button onClick={() => swarmNotices.set([...others, model.id])}>{texts.swarmNoticeRead}</Button>
    </div>
  )
}

function Terms({ model: { name, license, modelCard } }: { readonly model: ModelInfo }) {
  const texts = useTexts()
  if (license === undefined && modelCard === undefined) return null
  return (
    <p>
      {texts.swarmNoticeTerms} <strong>{name}</strong>. {license && <LicenceLink license={license} />}
      {license && modelCard && ' · '}
      {modelCard && <SafeLink href={modelCard}>{texts.modelCard}</SafeLink>}
    </p>
  )
}
