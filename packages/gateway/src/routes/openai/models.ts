import type { ModelListBody, ModelObject } from '@petals-chat/api'
import { Hono } from 'hono'
import { isRemoteModel, type ModelSpec, type ModelState, type ServedModel } from '@petals-chat/engine'
import type { GatewayContext, GatewayVariables, RouteModule } from '../../context.ts'
import { isAnthropicRequest } from '../../request-path.ts'
import { anthropicModel, modelPage } from '../anthropic/models.ts'
import { contextLengthOf, listedModel } from '../listed-model.ts'
import { modelState, swarmKind } from '../model-state.ts'
import { findModel, modelsFor } from '../../generation/request/resolve-model.ts'

/**
 * `GET /v1/models` and `GET /v1/models/{id}`; a `/` in an id may be written as it is or as `%2F`. Clients of Anthropic get
 * their own form.
 */
export const modelRoutes: RouteModule = (context) => {
  const startedAt = new Date()
  const created = Math.floor(startedAt.getTime() / 1000)
  const modified_at = startedAt.toISOString()
  const { registry } = context
  const inAnthropicForm = (spec: ModelSpec) => anthropicModel(spec, registry.peek(spec.id), modified_at)

  return new Hono<{ Variables: GatewayVariables }>()
    .get('/v1/models', async (c) => {
      const specs = modelsFor(registry, c.var.caller).list()
      if (isAnthropicRequest(c.req.path, (name) => c.req.header(name)))
        return c.json(modelPage(specs.map(inAnthropicForm), c.req.query()))
      const data = await Promise.all(specs.map((spec) => describeModel(context, spec, created, c.var.signal)))
      const models = specs.map((spec) => ({
        ...listedModel(spec, registry.peek(spec.id)),
        modified_at,
        ...likeLlamaServer,
      }))
      return c.json({ object: 'list', data, models } satisfies ModelListBody)
    })
    .get('/v1/models/:id{.+}', async (c) => {
      const spec = findModel({ registry: modelsFor(registry, c.var.caller) }, c.req.param('id'))
      if (isAnthropicRequest(c.req.path, (name) => c.req.header(name))) return c.json(inAnthropicForm(spec))
      return c.json(await describeModel(context, spec, created, c.var.signal))
    })
}

/** Fields of llama-server's list that say nothing here. */
const likeLlamaServer = {
  type: 'model',
  description: '',
  tags: [],
  capabilities: ['completion'],
  parameters: '',
} satisfies Partial<ModelListBody['models'][number]>

async function describeModel(
  { registry, swarm }: Pick<GatewayContext, 'registry' | 'swarm'>,
  spec: ModelSpec,
  created: number,
  signal: AbortSignal,
): Promise<ModelObject> {
  const { state, detail, progress } = await modelState(registry, spec.id, signal)
  return {
    id: spec.id,
    object: 'model',
    created,
    owned_by: 'petals-chat',
    root: spec.id,
    parent: null,
    permission: [],
    type: 'base',
    name: spec.displayName ?? spec.id,
    description: null,
    deprecation: null,
    aliases: [...spec.aliases],
    engine: spec.engine,
    swarm: swarmKind(spec, swarm),
    state,
    state_detail: detail,
    progress: progress && toProgress(progress),
    ...loadedFields(registry.peek(spec.id), spec),
    public_api: spec.publicApi,
    family: spec.family,
    display_name: spec.displayName,
    model_card: spec.modelCard,
    license: spec.license,
  }
}

const toProgress = ({ phase, label, done, total, unit }: NonNullable<ModelState['progress']>) => ({
  phase,
  label,
  done,
  total,
  unit,
})

/** What no model has here, because this server has no such call, or takes only text. */
const noCapabilities = {
  completion_fim: false,
  fine_tuning: false,
  vision: false,
  classification: false,
} as const

/**
 * The capabilities of every model that this server runs. All can be given functions: where the template knows none, the
 * system message describes them, and calls are found in the answer in any notation. How well a model chooses and calls them
 * is not known.
 */
const usualCapabilities = { ...noCapabilities, completion_chat: true, function_calling: true } as const

/**
 * The fields that are known only for a loaded model, and the capabilities of all models. What the model of another server
 * can do, only a request finds out: nothing is claimed and nothing denied.
 */
function loadedFields(
  model: ServedModel | undefined,
  spec: ModelSpec,
): Pick<ModelObject, 'context_length' | 'max_model_len' | 'max_context_length' | 'capabilities'> {
  if (model === undefined) return { capabilities: usualCapabilities }
  const length = contextLengthOf(spec, model)
  const lengths = { context_length: length, max_model_len: length, max_context_length: length }
  if (isRemoteModel(model)) return { ...lengths, capabilities: noCapabilities }
  const { grammar, logprobs, promptLogprobs, embeddings } = model.capabilities
  const found = { grammar, logprobs, prompt_logprobs: promptLogprobs, embeddings }
  return { ...lengths, capabilities: { ...usualCapabilities, ...found } }
}
