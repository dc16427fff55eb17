import type { ModelRegistry } from '@petals-chat/engine'
import type { Caller } from '../../access/caller.ts'
import { LATEST_TAG } from '../listed-model.ts'
import { modelsFor } from '../../generation/request/resolve-model.ts'

/** The fields that name a model. */
export interface NamedModel {
  readonly model?: string | null | undefined
  readonly name?: string | null | undefined
}

/** The name that a request means: with and without `:latest` it is the same. An unknown name stays, without the tag. */
export function meantModel(
  registry: Pick<ModelRegistry, 'list' | 'find'>,
  caller: Pick<Caller, 'models'>,
  { model, name }: NamedModel,
): string | undefined {
  const asked = (model || name) ?? undefined
  if (!asked) return undefined
  const bare = asked.endsWith(LATEST_TAG) ? asked.slice(0, -LATEST_TAG.length) : asked
  const models = modelsFor(registry, caller)
  return [asked, bare, `${bare}${LATEST_TAG}`].find((each) => models.find(each) !== undefined) ?? bare
}
