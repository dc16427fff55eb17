import { ApiError, apiErrorFromResponse, toApiError } from './errors.ts'
import { isRecord, number, text } from './read-json.ts'

/** A model of this server, as `GET /api/v1/models` describes it. */
export interface ModelInfo {
  readonly id: string
  /** For people; the id where the config gives no name. */
  readonly name: string
  readonly family: string | undefined
  readonly engine: string | undefined
  /** Whose computers its answers go through, if other people's do. */
  readonly swarm?: 'public' | 'private' | undefined
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
export type ModelStateName = 'idle' | 'loading' | 'ready' | 'degraded' | 'unavailable' | 'unknown'

export interface ModelState {
  readonly name: ModelStateName
  /** The server's sentence for a person. */
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

/** Reads the list defensively: a field of the wrong type is as good as none. */
export function parseModels(body: unknown): readonly ModelInfo[] {
  const list = isRecord(body) ? (body['models'] ?? body['data']) : body
  if (!Array.isArray(list)) return []
  return list.filter(isRecord).flatMap((entry) => {
    const id = text(entry['id'])
    return id ? [parseModel(id, entry)] : []
  })
}

function parseModel(id: string, entry: Record<string, unknown>): ModelInfo {
  const generation = isRecord(entry['generation']) ? entry['generation'] : {}
  const dialogue = isRecord(entry['dialogue']) ? entry['dialogue'] : {}
  return {
    id,
    name: text(entry['displayName']) ?? text(entry['name']) ?? id,
    family: text(entry['family']),
    engine: text(entry['engine']),
    swarm: parseSwarm(entry['swarm']),
    modelCard: webAddress(entry['modelCard']),
    license: text(entry['license']),
    contextLength: least(number(entry['contextLength']), number(entry['maxSessionLength'])),
    systemPrompt: text(dialogue['systemPrompt']),
    defaults: parseDefaults(generation),
    state: parseState(entry),
  }
}

const parseSwarm = (value: unknown): ModelInfo['swarm'] =>
  value === 'public' || value === 'private' ? value : undefined

function parseDefaults(generation: Record<string, unknown>): SamplingDefaults {
  const sampled = generation['do_sample'] !== false && generation['do_sample'] !== 0
  return {
    temperature: sampled ? number(generation['temperature']) : 0,
    topP: number(generation['top_p']),
    topK: number(generation['top_k']),
    minP: number(generation['min_p']),
    repetitionPenalty: number(generation['repetition_penalty']),
    maxTokens: number(generation['max_new_tokens']),
  }
}

function parseState(entry: Record<string, unknown>): ModelState {
  const raw = isRecord(entry['state']) ? entry['state'] : entry
  const name = raw['state'] ?? raw['name']
  return {
    name: typeof name === 'string' && stateNames.has(name) ? (name as ModelStateName) : 'idle',
    detail: text(raw['detail']),
    progress: isRecord(raw['progress']) ? parseProgress(raw['progress']) : undefined,
  }
}

function parseProgress(raw: Record<string, unknown>): LoadProgress {
  return {
    phase: text(raw['phase']) ?? 'load',
    label: text(raw['label']) ?? '',
    done: number(raw['done']) ?? 0,
    total: number(raw['total']),
    unit: text(raw['unit']) ?? 'percent',
  }
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? a : Math.min(a, b)
}

/** Only http and https: a config must not put `javascript:` behind a link. */
function webAddress(value: unknown): string | undefined {
  const address = text(value)
  return address && /^https?:\/\//i.test(address) ? address : undefined
}
