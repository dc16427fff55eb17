import type { LegacyModelBody, LegacyModelsBody } from '@petals-chat/api'
import { ApiError, apiErrorFromResponse, toApiError } from './errors.ts'
import { isRecord, number, records, text, type Untrusted } from './read-json.ts'

/** A model of this server, as `GET /api/v1/models` describes it. */
export interface ModelInfo {
  readonly id: string
  /** The display name; the id if the config gives no name. */
  readonly name: string
  readonly family: string | undefined
  readonly engine: string | undefined
  /** The kind of swarm whose servers compute its answers; undefined for a local model. */
  readonly swarm?: LegacyModelBody['swarm']
  readonly modelCard: string | undefined
  /** An address, or a name such as "Apache-2.0". */
  readonly license: string | undefined
  /** Tokens of prompt and answer together. Unknown until the model is loaded. */
  readonly contextLength: number | undefined
  readonly systemPrompt: string | undefined
  readonly defaults: SamplingDefaults
  readonly state: ModelState
}

export interface SamplingDefaults {
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
  readonly minP?: number | undefined
  readonly repetitionPenalty?: number | undefined
  readonly maxTokens?: number | undefined
}

/** `unknown`: the server can't be asked. */
export type ModelStateName = LegacyModelBody['state']['state'] | 'unknown'

export interface ModelState {
  readonly name: ModelStateName
  /** The server's explanation for a person. */
  readonly detail: string | undefined
  readonly progress: LoadProgress | undefined
}

export interface LoadProgress {
  readonly phase: string
  readonly label: string
  readonly done: number
  readonly total: number | undefined
  readonly unit: string
}

type StateBody = LegacyModelBody['state']

const stateNames: ReadonlySet<string> = new Set<ModelStateName>([
  'idle',
  'loading',
  'ready',
  'degraded',
  'unavailable',
])

/** @throws ApiError */
export async function fetchModels(options: { readonly signal?: AbortSignal }): Promise<readonly ModelInfo[]> {
  const response = await fetch('api/v1/models', { signal: options.signal ?? null }).catch(
    (cause: unknown) => {
      throw toApiError(cause)
    },
  )
  if (!response.ok) throw await apiErrorFromResponse(response)
  const body: unknown = await response.json().catch((cause: unknown) => {
    throw new ApiError(
      { kind: 'server', message: 'The list of models is not JSON.', status: response.status },
      { cause },
    )
  })
  return parseModels(body)
}

/** Reads the list defensively: a field of the wrong type counts as missing. */
function parseModels(body: unknown): readonly ModelInfo[] {
  const { models }: Untrusted<LegacyModelsBody> = isRecord(body) ? body : {}
  return records(models).flatMap((model: Untrusted<LegacyModelBody>) => {
    const id = text(model.id)
    return id ? [parseModel(id, model)] : []
  })
}

function parseModel(id: string, model: Untrusted<LegacyModelBody>): ModelInfo {
  const dialogue: Untrusted<NonNullable<LegacyModelBody['dialogue']>> = recordOf(model.dialogue)
  return {
    id,
    name: text(model.displayName) ?? id,
    family: text(model.family),
    engine: text(model.engine),
    swarm: parseSwarm(model.swarm),
    modelCard: webAddress(model.modelCard),
    license: text(model.license),
    contextLength: least(number(model.contextLength), number(model.maxSessionLength)),
    systemPrompt: text(dialogue.systemPrompt),
    defaults: parseDefaults(recordOf(model.generation)),
    state: parseState(recordOf(model.state)),
  }
}

const parseSwarm = (value: unknown): ModelInfo['swarm'] =>
  value === 'public' || value === 'private' ? value : undefined

function parseDefaults(generation: Untrusted<LegacyModelBody['generation']>): SamplingDefaults {
  const sampled = generation.do_sample !== false && generation.do_sample !== 0
  return {
    temperature: sampled ? number(generation.temperature) : 0,
    topP: number(generation.top_p),
    topK: number(generation.top_k),
    minP: number(generation.min_p),
    repetitionPenalty: number(generation.repetition_penalty),
    maxTokens: number(generation.max_new_tokens),
  }
}

function parseState({ state, detail, progress }: Untrusted<StateBody>): ModelState {
  return {
    name: typeof state === 'string' && stateNames.has(state) ? (state as ModelStateName) : 'idle',
    detail: text(detail),
    progress: isRecord(progress) ? parseProgress(progress) : undefined,
  }
}

function parseProgress(raw: Untrusted<NonNullable<StateBody['progress']>>): LoadProgress {
  return {
    phase: text(raw.phase) ?? 'load',
    label: text(raw.label) ?? '',
    done: number(raw.done) ?? 0,
    total: number(raw.total),
    unit: text(raw.unit) ?? 'percent',
  }
}

const recordOf = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {})

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? a : Math.min(a, b)
}

/** Accepts only http and https: a config must not put `javascript:` behind a link. */
function webAddress(value: unknown): string | undefined {
  const address = text(value)
  return address && /^https?:\/\//i.test(address) ? address : undefined
}
