import { type AnthropicModel, type AnthropicModelList, anthropicModelQuerySchema } from '@petals-chat/api'
import { InvalidRequestError, type ModelSpec, type ServedModel } from '@petals-chat/engine'
import { describeIssues, noMessage } from '../../generation/request/zod-issue.ts'
import { contextLengthOf } from '../listed-model.ts'

/** A model as Anthropic's Models API describes it. `startedAt`: of this server. */
export function anthropicModel(
  spec: ModelSpec,
  model: ServedModel | undefined,
  startedAt: string,
): AnthropicModel {
  const length = (model && contextLengthOf(spec, model)) ?? null
  return {
    type: 'model',
    id: spec.id,
    display_name: spec.displayName ?? spec.id,
    created_at: startedAt,
    capabilities: null,
    max_input_tokens: length,
    max_tokens: length,
    lifecycle: 'active',
    line: null,
    deprecated_at: null,
    retires_at: null,
  }
}

/** The part of a list that a request asks for: `limit` models after or before another one. @throws InvalidRequestError */
export function modelPage(
  models: readonly AnthropicModel[],
  given: Readonly<Record<string, string>>,
): AnthropicModelList {
  const parsed = anthropicModelQuerySchema.safeParse(given, { reportInput: true, error: () => noMessage })
  if (!parsed.success) {
    const { message, ...where } = describeIssues(parsed.error.issues)
    throw new InvalidRequestError(message, where)
  }
  const { limit, after_id: after, before_id: before } = parsed.data
  const start = after === undefined ? 0 : placeOf(models, after, 'after_id') + 1
  const end = before === undefined ? models.length : placeOf(models, before, 'before_id')
  const found = models.slice(start, end)
  const data = before === undefined ? found.slice(0, limit) : found.slice(-limit)
  return {
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: data.length < found.length,
  }
}

function placeOf(models: readonly AnthropicModel[], id: string, param: string): number {
  const place = models.findIndex((model) => model.id === id)
  if (place !== -1) return place
  throw new InvalidRequestError(`Invalid '${param}': this server has no model of that id.`, {
    param,
    reason: 'invalid_value',
  })
}
