import { createHash } from 'node:crypto'
import {
  type OllamaModel,
  type OllamaPs,
  type OllamaShow,
  ollamaShowRequestSchema,
  type OllamaTags,
  type OllamaVersion,
} from '@petals-chat/api'
import {
  generationDefaults,
  isRemoteModel,
  type ModelRegistry,
  type ModelSpec,
  type ServedModel,
} from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { findModel, modelsFor } from '../../generation/request/resolve-model.ts'
import { meantModel, taggedName } from './model-name.ts'
import { modelDetails } from './model-details.ts'

/** The release whose API this is. Clients look at it before they use a feature. */
const OLLAMA_VERSION = '0.12.11'

/** When models that stay loaded expire. */
const NEVER = '9999-12-31T23:59:59.000Z'

/** `GET /api/tags`, `GET /api/ps`, `POST /api/show` and `GET /api/version`. */
export const ollamaModelRoutes: RouteModule = ({ registry, version }) => {
  const startedAt = new Date().toISOString()
  return new Hono<{ Variables: GatewayVariables }>()
    .get('/api/tags', (c) => {
      const models = modelsFor(registry, c.var.caller)
        .list()
        .map((spec) => ollamaModel(registry, spec, startedAt))
      return c.json({ models } satisfies OllamaTags)
    })
    .get('/api/ps', (c) => {
      const specs = modelsFor(registry, c.var.caller).list()
      const models = specs.flatMap((spec) => {
        const model = registry.peek(spec.id)
        return model === undefined ? [] : [loadedModel(spec, model)]
      })
      return c.json({ models } satisfies OllamaPs)
    })
    .post('/api/show', async (c) => {
      const request = await parseRequest(c.req, ollamaShowRequestSchema)
      const models = modelsFor(registry, c.var.caller)
      const name = meantModel(registry, c.var.caller, request) ?? models.list()[0]?.id ?? 'default'
      const spec = findModel({ registry: models }, name)
      return c.json(describeModel(spec, registry.peek(spec.id), startedAt))
    })
    .get('/api/version', (c) =>
      c.json({ version: OLLAMA_VERSION, petals_chat: version } satisfies OllamaVersion),
    )
}

/** A model as Ollama lists it. `startedAt`: of this server. */
export const ollamaModel = (
  registry: Pick<ModelRegistry, 'peek'>,
  spec: ModelSpec,
  startedAt: string,
): OllamaModel => ({ ...listed(spec, registry.peek(spec.id)), modified_at: startedAt })

const listed = (spec: ModelSpec, model: ServedModel | undefined) => ({
  name: taggedName(spec.id),
  model: taggedName(spec.id),
  size: model?.memoryBytes ?? 0,
  digest: createHash('sha256').update(JSON.stringify(spec)).digest('hex'),
  details: modelDetails(spec),
})

function loadedModel(spec: ModelSpec, model: ServedModel): OllamaPs['models'][number] {
  const own = listed(spec, model)
  return { ...own, size_vram: own.size, context_length: contextLength(spec, model), expires_at: NEVER }
}

function contextLength(spec: ModelSpec, model: ServedModel | undefined): number | undefined {
  const known = Math.min(model?.contextLength ?? Infinity, spec.maxSessionLength ?? Infinity)
  return known === Infinity ? undefined : known
}

function describeModel(spec: ModelSpec, model: ServedModel | undefined, startedAt: string): OllamaShow {
  const length = contextLength(spec, model)
  const parameters = parametersOf(spec, model)
  return {
    license: spec.license ?? '',
    modelfile: [
      '# The configuration of this server defines the model.',
      `FROM ${spec.id}`,
      ...parameters.map((parameter) => `PARAMETER ${parameter}`),
      '',
    ].join('\n'),
    parameters: parameters.join('\n'),
    template: '{{- /* The model’s own chat template renders messages and tools. */ -}}',
    system: spec.dialogue?.systemPrompt ?? '',
    details: modelDetails(spec),
    messages: [],
    model_info: {
      'general.architecture': spec.engine,
      'general.basename': spec.displayName ?? spec.id,
      ...(length !== undefined && { [`${spec.engine}.context_length`]: length }),
    },
    capabilities: ['completion', 'tools', ...(canChooseToThink(model) ? (['thinking'] as const) : [])],
    modified_at: startedAt,
  }
}

function parametersOf(spec: ModelSpec, model: ServedModel | undefined): readonly string[] {
  const own = generationDefaults(spec, model)
  const values = {
    temperature: own.do_sample === false || own.do_sample === 0 ? 0 : own.temperature,
    top_k: own.top_k,
    top_p: own.top_p,
    min_p: own.min_p,
    repeat_penalty: own.repetition_penalty,
    frequency_penalty: own.frequency_penalty,
    num_predict: own.max_new_tokens,
  }
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]))
}

/** Reports whether a model's template treats a request to think differently. */
function canChooseToThink(model: ServedModel | undefined): boolean {
  if (model === undefined || isRemoteModel(model)) return false
  const prompt = (enable_thinking: boolean) =>
    model.chatTemplate.render([{ role: 'user', content: '.' }], { variables: { enable_thinking } })
  return prompt(true) !== prompt(false)
}
