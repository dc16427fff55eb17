import { useServices } from '../../app/services.ts'
import type { ModelInfo } from '../../api/models.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../state/use-store.ts'

/** Why nothing can be sent, whatever is written; undefined where it can. `missing`: a model that the server had. */
export function useSendProblem(
  model: ModelInfo | undefined,
  missing: string | undefined,
): string | undefined {
  const { models } = useServices()
  const texts = useTexts()
  const status = useStore(models, (state) => state.status)
  if (model) return undefined
  if (missing) return texts.cantSendMissing(missing)
  if (status === 'failed') return texts.cantSendGone
  return status === 'loading' ? texts.cantSendLoading : texts.cantSendNoModels
}
