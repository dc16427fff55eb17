import { useEffect } from 'react'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { Notices } from '../notices.tsx'
import { SwarmModelView } from './swarm-model-view.tsx'
import { fetchSwarm } from '../../api/swarm.ts'
import { localStorageOrNone } from '../../storage/stored-value.ts'
import { createSwarmStore } from '../../swarm/swarm-store.ts'
import './swarm.css'

/** Created with this page, which is loaded on demand: the chat page does not pay for it. */
const swarmStore = createSwarmStore({ fetchSwarm, storage: localStorageOrNone() })

/** The models of the swarm: which servers hold their blocks, their performance, and what would help. */
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
