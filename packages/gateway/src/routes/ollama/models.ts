import {
  type OllamaPs,
  type OllamaShow,
  ollamaShowRequestSchema,
  type OllamaTags,
  type OllamaVersion,
} from '@petals-chat/api'
import { isRemoteModel, type ModelSpec, type ServedModel } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { findModel, modelsFor } from '../../generation/request/resolve-model.ts'
import { usualSampling } from '../usual-sampling.ts'
import { contextLengthOf, listedModel, modelDetails } from '../listed-model.ts'
import { meantModel } from './model-name.ts'

/** The release whose API this is. Clients look at it before they use a feature. */
const OLLAMA_VERSION = '0.12.11'

/** When models that stay loaded expire: early enough that clients can write it in every time zone. */
const NEVER = '9999-12-30T00:00:00.000Z'

/** Stands for a template that is not known: a comment in the language of Ollama's templates. */
const OWN_TEMPLATE = '{{- /* The model’s own chat template renders messages and tools. */ -}}'

/** `GET /api/tags`, `GET /api/ps`, `POST /api/show` and `GET /api/version`. */
export const ollamaModelRoutes: RouteModule = ({ registry, version }) => {
  const startedAt = new Date().toISOString()
  return new Hono<{ Variables: GatewayVariables }>()
    .get('/api/tags', (c) => {
      const models = modelsFor(registry, c.var.caller)
        .list()
        .map((spec) => ({ ...listedModel(spec, registry.peek(spec.id)), modified_at: startedAt }))
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

function loadedModel(spec: ModelSpec, model: ServedModel): OllamaPs['models'][number] {
  const own = listedModel(spec, model)
  return { ...own, size_vram: own.size, context_length: contextLengthOf(spec, model), expires_at: NEVER }
}

function describeModel(spec: ModelSpec, model: ServedModel | undefined, startedAt: string): OllamaShow {
  const length = contextLengthOf(spec, model)
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
    template: (model && !isRemoteModel(model) && model.chatTemplate.source) || OWN_TEMPLATE,
    system: spec.dialogue?.systemPrompt ?? '',
    details: modelDetails(spec),
    messages: [],
    model_info: {
      'general.architecture': spec.engine,
      'general.basename': spec.displayName ?? spec.id,
      ...(length !== undefined && { [`${spec.engine}.context_length`]: length }),
    },
    // Clients offer no tools without the word: of another server's model it only says that they are passed on.
    capabilities: ['completion', 'tools', ...(canChooseToThink(model) ? (['thinking'] as const) : [])],
    modified_at: startedAt,
  }
}

function parametersOf(spec: ModelSpec, model: ServedModel | undefined): readonly string[] {
  const { max_new_tokens: num_predict, ...sampling } = usualSampling(spec, model)
  return Object.entries({ ...sampling, num_predict }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`],
  )
}

/** Reports whether a model's template treats a request to think differently. */
function canChooseToThink(model: ServedModel | undefined): boolean {
  if (model === undefined || isRemoteModel(model)) return false
  const prompt = (enable_thinking: boolean) =>
    model.chatTemplate.render([{ role: 'user', content: '.' }], { variables: { enable_thinking } })
  return prompt(true) !== prompt(false)
}
