import {
  isCall,
  isDict,
  isName,
  type PythonCall,
  type PythonValue,
  readAssignments,
} from './python-values.ts'

type Settings = Record<string, unknown>

export interface ConvertedConfig {
  /** As petals-chat.yaml has it. */
  readonly config: Settings
  /** What has no counterpart, in sentences. */
  readonly notes: readonly string[]
}

/** Settings that need no choice here. */
const NEEDLESS: Readonly<Record<string, string>> = {
  DEVICE: 'the local part of a model runs on the CPU',
  TORCH_DTYPE: 'the local part of a model runs in 8 bits, with an exact check',
}

/**
 * Turns a `config.py` of chat.petals.dev into a configuration. The file is read, never run.
 * @throws PythonSyntaxError if a setting is not a plain value
 */
export function convertConfig(source: string): ConvertedConfig {
  const values = readAssignments(source)
  const notes: string[] = []
  const models = modelsOf(values, notes)
  const stepTimeout = values.get('STEP_TIMEOUT')
  const sessions = values.get('MAX_SESSIONS')
  for (const [name, reason] of Object.entries(NEEDLESS))
    if (values.has(name)) notes.push(`${name} is left out: ${reason}.`)
  const server = {
    ...(typeof stepTimeout === 'number' && { stepTimeoutMs: Math.round(stepTimeout * 1000) }),
    // Every page could use the original's API.
    cors: { legacy: ['*'] },
    ...(typeof sessions === 'number' && { sessions: { maxPerModel: sessions } }),
  }
  return { config: { server, swarm: { initialPeers: peersOf(values, notes) }, models }, notes }
}

function peersOf(values: ReadonlyMap<string, PythonValue>, notes: string[]): unknown {
  const peers = values.get('INITIAL_PEERS')
  if (Array.isArray(peers)) return peers
  if (peers !== undefined && !(isName(peers) && peers.name.endsWith('PUBLIC_INITIAL_PEERS')))
    notes.push('INITIAL_PEERS is not a list of addresses: the public swarm is used.')
  return 'public'
}

function modelsOf(values: ReadonlyMap<string, PythonValue>, notes: string[]): readonly Settings[] {
  const families = values.get('MODEL_FAMILIES')
  const grouped = isDict(families)
    ? [...families.dict].flatMap(([family, list]) => calls(list).map((call) => [family, call] as const))
    : calls(values.get('MODELS')).map((call) => [undefined, call] as const)
  const models = grouped.flatMap(([family, call]) => convertModel(call, family, notes))
  const first = values.get('DEFAULT_MODEL_NAME')
  return [...models].sort((a, b) => Number(b['id'] === first) - Number(a['id'] === first))
}

const calls = (list: PythonValue | undefined): readonly PythonCall[] =>
  Array.isArray(list) ? (list as readonly PythonValue[]).filter(isCall) : []

function convertModel(call: PythonCall, family: string | undefined, notes: string[]): readonly Settings[] {
  const fields = fieldsOf(call)
  const text = (name: string) =>
    typeof fields.get(name) === 'string' ? (fields.get(name) as string) : undefined
  const repository = text('repository') ?? text('repo')
  if (repository === undefined) {
    notes.push(`A model of ${call.call} has no repository, and is left out.`)
    return []
  }
  if (text('adapter') !== undefined) {
    notes.push(`${text('adapter')} is left out: adapters are not supported.`)
    return []
  }
  // The oldest files have one name, by which clients ask for the model.
  const named = text('repo') === undefined ? undefined : text('name')
  const aliases = [
    ...((plain(fields.get('aliases')) as string[] | undefined) ?? []),
    ...(named ? [named] : []),
  ]
  const model: Settings = {
    id: repository,
    ...(aliases.length > 0 && { aliases }),
    engine: 'petals',
    source: `hf:${repository}`,
    ...(fields.get('public_api') === false && { publicApi: false }),
    family,
    displayName: named === undefined ? text('name') : undefined,
    modelCard: text('model_card'),
    license: text('license'),
    maxSessionLength: plain(fields.get('max_session_length')),
    dialogue: dialogueOf(fields),
    generation: plain(fields.get('generation_params')),
  }
  return [Object.fromEntries(Object.entries(model).filter(([, value]) => value !== undefined))]
}

/** The fields of a model's parts (`ModelBackendConfig(…)`, `ModelFrontendConfig(…)`, `ModelChatConfig(…)`) as of one. */
function fieldsOf({ positional, named }: PythonCall): ReadonlyMap<string, PythonValue> {
  const parts = [...positional, ...named.values()].filter(isCall)
  return new Map([...named, ...parts.flatMap((part) => [...part.named])])
}

function dialogueOf(fields: ReadonlyMap<string, PythonValue>): Settings | undefined {
  const dialogue = {
    sepToken: plain(fields.get('sep_token')),
    stopToken: plain(fields.get('stop_token')),
    extraStopSequences: plain(fields.get('extra_stop_sequences')),
  }
  const given = Object.entries(dialogue).filter(([, value]) => value !== undefined)
  return given.length > 0 ? Object.fromEntries(given) : undefined
}

/** The value as YAML can have it; undefined for calls and names, and for None. */
function plain(value: PythonValue | undefined): unknown {
  if (value === undefined || value === null || isCall(value) || isName(value)) return undefined
  if (isDict(value)) return Object.fromEntries([...value.dict].map(([key, each]) => [key, plain(each)]))
  return Array.isArray(value) ? (value as readonly PythonValue[]).map(plain) : value
}
