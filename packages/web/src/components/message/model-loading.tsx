import { useEffect } from 'react'
import type { ModelInfo } from '../../api/models.ts'
import { useServices } from '../../app/services.ts'
import { ModelProgress } from '../model-state.tsx'

/** The request that makes a model load is on its way: after so many milliseconds the server knows of it. */
const ASK_AFTER_MS = 400

/** How far the model is on its way into memory, for whoever waits for its first word. */
export function ModelLoading({ model }: { readonly model: ModelInfo }) {
  const { models } = useServices()
  const { name, progress } = model.state
  useEffect(() => {
    if (name !== 'idle') return undefined
    const timer = setTimeout(() => void models.refresh(), ASK_AFTER_MS)
    return () => clearTimeout(timer)
  }, [name, models])
  return progress ? <ModelProgress progress={progress} /> : null
}
