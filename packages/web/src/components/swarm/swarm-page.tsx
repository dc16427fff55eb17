import { useEffect } from 'react'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../state/use-store.ts'
import { swarmStore } from '../../app/swarm.ts'
import { Notices } from '../notices.tsx'
import { SwarmModelView } from './swarm-model-view.tsx'
import './swarm.css'

/** The models of the swarm: which servers hold their blocks, how well, and what would help. */
export default function SwarmPage() {
  const texts = useTexts()
  const { status, models, history, error } = useStore(swarmStore)
  useEffect(() => swarmStore.watch(), [])
  return (
    <>
      <main className="swarm-page" tabIndex={-1}>
        <div className="swarm-column">
          <h1>{texts.swarm}</h1>
          <p className="swarm-intro">{texts.swarmIntro}</p>
          {status === 'failed' && (
            <p role="alert" className="swarm-problem">
              {error?.message || texts.errorNetwork}
            </p>
          )}
          {status === 'loading' && <p role="status">{texts.swarmLoading}</p>}
          {status === 'ready' && models.length === 0 && <p>{texts.swarmNone}</p>}
          {models.map((model) => (
            <SwarmModelView key={model.id} model={model} samples={history[model.id] ?? []} />
          ))}
        </div>
      </main>
      <Notices />
    </>
  )
}
