import type { ModelInfo } from '../api/models.ts'
import { useServices } from '../app/services.ts'
import { useTexts } from '../i18n/texts.ts'
import { SafeLink } from '../markdown/safe-link.tsx'
import { useStore } from '../store.ts'
import { LicenceLink } from './licence-link.tsx'
import { ModelDot, ModelProgress, modelStateLabel } from './model-state.tsx'
import { PetalMark } from '../ui/icon.tsx'
import './welcome.css'

/** The empty page of a new chat: the model, its terms, and its state. */
export function Welcome({ model }: { readonly model: ModelInfo | undefined }) {
  const { models } = useServices()
  const texts = useTexts()
  const { status, models: list } = useStore(models)
  return (
    <div className="welcome">
      <PetalMark size={56} />
      <h1 className="display-title">{texts.welcomeTitle}</h1>
      {model ? (
        <ModelCard model={model} />
      ) : (
        <p className="welcome-note" role="status">
          {status === 'failed'
            ? texts.errorNetwork
            : list.length > 0 || status === 'loading'
              ? texts.modelsLoading
              : texts.noModels}
        </p>
      )}
    </div>
  )
}

function ModelCard({ model }: { readonly model: ModelInfo }) {
  const texts = useTexts()
  const { state, modelCard, license } = model
  return (
    <div className="welcome-model">
      <p className="welcome-note">
        {texts.welcomeTerms} <strong>{model.name}</strong>.{' '}
        {modelCard && <SafeLink href={modelCard}>{texts.modelCard}</SafeLink>}
        {modelCard && license && ' · '}
        {license && <LicenceLink license={license} />}
      </p>
      <p className="welcome-state">
        <ModelDot state={state} /> {state.detail ?? modelStateLabel(texts, state)}
      </p>
      {state.progress && <ModelProgress progress={state.progress} />}
    </div>
  )
}
