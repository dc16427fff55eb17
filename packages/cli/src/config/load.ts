import path from 'node:path'
import { modelSpecSchema, type ModelSource } from '@petals-chat/engine'
import { petalsModelSchema } from '@petals-chat/petals/config'
import { defaultModel } from '@petals-chat/hub'
import { ConfigDraft } from './draft.ts'
import { findConfigFile } from './find-file.ts'
import { parseModelFlag } from './model-flag.ts'
import { findUnknownVariables, type Environment, type Flags } from './overrides.ts'
import { ConfigError, type ConfigProblem, type KeyPath, type Origin } from './problem.ts'
import { z } from 'zod'
import { findRepeatedNames, type WrittenEntry } from './repeated-names.ts'
import { configSchema, modelEntrySchema, type Config, type ModelEntry } from './schema.ts'
import { configFileSetting, dhtPrefixSetting, flagName, modelSetting } from './settings.ts'
import { findUnknownFallbacks } from './unknown-fallbacks.ts'
import { describeIssues, type Issue } from './validate.ts'

export interface LoadConfigOptions {
  readonly workingDirectory: string
  readonly environment: Environment
  /** By `flagKey`; also `config` (a path) and `model` (a list). */
  readonly flags: Flags
  /** Only flags, environment and defaults. */
  readonly ignoreFile?: boolean
}

export interface LoadedConfig {
  readonly config: ResolvedConfig
  /** The file that was read, absolute. */
  readonly file: string | undefined
  /** Base of relative paths in the configuration: the file's folder, else the working directory. */
  readonly baseFolder: string
  /** Returns where the value of a key comes from. */
  origin(path: KeyPath): Origin
  /** Models of `--model` or its variable that are not in the file, each with what named it. */
  readonly added: readonly AddedModel[]
  /** Problems that do no harm, but are probably not intended. */
  readonly warnings: readonly ConfigProblem[]
}

export interface AddedModel {
  readonly source: ModelSource
  readonly origin: Origin
}

/** The configuration with its models: those of `--model` first, then the file's; the default model if there are none. */
export type ResolvedConfig = Omit<Config, 'models'> & { readonly models: readonly ModelEntry[] }

/**
 * Brings flags, environment, file and defaults together, in that order of precedence.
 * @throws ConfigError with all mistakes that can be found at once
 */
export async function loadConfig(options: LoadConfigOptions): Promise<LoadedConfig> {
  const { environment, flags, workingDirectory } = options
  const requested = requestedFile(flags, environment)
  const file = options.ignoreFile === true ? undefined : await findConfigFile({ workingDirectory, requested })
  const draft = new ConfigDraft(file, flags, environment)
  const parsed = configSchema.safeParse(draft.data)

  const fileModels = parsed.data?.models ?? (draft.models.length === 0 ? [defaultSpec] : [])
  const asked = readModelFlags(fileModels, options)
  const written = [...asked.entries, ...entriesOf(draft)]
  const problems = [
    ...draft.problems,
    ...draft.trustworthy(describeIssues(issuesOf(parsed.error?.issues ?? [], draft), draft)),
    ...asked.problems,
    ...findRepeatedNames(written),
    ...findUnknownFallbacks(written),
  ]
  if (problems.length > 0 || !parsed.success) throw new ConfigError(sortByPlace(problems))

  return {
    config: { ...parsed.data, models: chooseModels(asked, parsed.data.models) },
    file: file?.path,
    baseFolder: file === undefined ? workingDirectory : path.dirname(file.path),
    origin: (key) => draft.source(key),
    added: asked.added,
    warnings: findUnknownVariables(environment),
  }
}

const defaultSpec = modelEntrySchema.parse(defaultModel)

/** The common part of all entries, for entries whose engine is unknown: further keys may belong to an engine. */
const anyEngineSchema = z.object(modelSpecSchema.shape)

/** Returns the issues, and those that the schema does not look for in an entry whose `engine` is wrong. */
function issuesOf(issues: readonly Issue[], { models }: ConfigDraft): readonly Issue[] {
  const further = issues.flatMap(({ code, path: [section, index, key] }) => {
    if (code !== 'invalid_union' || section !== 'models' || key !== 'engine') return []
    const { error } = anyEngineSchema.safeParse(models[index as number])
    return (error?.issues ?? []).map((issue) => ({ ...issue, path: ['models', index!, ...issue.path] }))
  })
  return [...issues, ...further]
}

function requestedFile(flags: Flags, environment: Environment) {
  if (typeof flags.config === 'string') {
    return { file: flags.config, origin: { kind: 'flag', name: '--config' } } as const
  }
  const file = environment[configFileSetting.variable]
  if (file === undefined || file === '') return undefined
  return { file, origin: { kind: 'environment', name: configFileSetting.variable } } as const
}

interface RequestedModels {
  readonly specs: readonly ModelEntry[]
  /** Those that are not in the file: as written, for the checks; and as `LoadedConfig.added` reports them. */
  readonly entries: readonly WrittenEntry[]
  readonly added: readonly AddedModel[]
  readonly problems: readonly ConfigProblem[]
}

/** Reads all `--model` flags or, without any, PETALS_CHAT_MODEL, which may name several models separated by commas. */
function readModelFlags(fileModels: readonly ModelEntry[], options: LoadConfigOptions): RequestedModels {
  const { environment, flags, workingDirectory } = options
  const given = (flags.model as readonly string[] | undefined) ?? []
  const variable = environment[modelSetting.variable] ?? ''
  const texts = given.length > 0 ? given : variable.split(',').map((text) => text.trim())
  const origin: Origin =
    given.length > 0
      ? { kind: 'flag', name: '--model' }
      : { kind: 'environment', name: modelSetting.variable }

  const prefix = readDhtPrefix(options)
  const specs: ModelEntry[] = []
  const entries: WrittenEntry[] = []
  const added: AddedModel[] = []
  const problems: ConfigProblem[] = []
  // The default model can be requested by name although it is not in the file.
  const known = fileModels.includes(defaultSpec) ? fileModels : [...fileModels, defaultSpec]
  for (const text of texts.filter((text) => text !== '')) {
    try {
      const asked = parseModelFlag(text, known, workingDirectory)
      specs.push(asked.spec)
      if (asked.kind === 'configured') continue
      entries.push({ path: [], value: asked.written, origin: () => origin })
      added.push({ source: asked.spec.source, origin })
    } catch (error) {
      problems.push({ origin, path: [], message: error instanceof Error ? error.message : String(error) })
    }
  }
  const asked = { specs, entries, added, problems }
  return prefix === undefined ? asked : withDhtPrefix(asked, prefix)
}

interface DhtPrefix {
  readonly text: string
  readonly origin: Origin
}

function readDhtPrefix({ flags, environment }: LoadConfigOptions): DhtPrefix | undefined {
  if (flags.dhtPrefix !== undefined) {
    return { text: String(flags.dhtPrefix), origin: { kind: 'flag', name: flagName(dhtPrefixSetting) } }
  }
  const { variable } = dhtPrefixSetting
  const text = environment[variable]
  return text ? { text, origin: { kind: 'environment', name: variable } } : undefined
}

/** Applies the prefix to the requested swarm model. With several models, the choice would be a guess. */
function withDhtPrefix(asked: RequestedModels, { text, origin }: DhtPrefix): RequestedModels {
  const refuse = (message: string): RequestedModels => ({
    ...asked,
    problems: [...asked.problems, { origin, path: [], message }],
  })
  const [spec, ...others] = asked.specs.filter((each) => each.engine === 'petals')
  if (spec === undefined || others.length > 0) {
    const found = spec === undefined ? 'there is none' : 'there are several'
    return refuse(
      `it applies to a single --model petals:SOURCE, and ${found}. In petals-chat.yaml, set the dhtPrefix of each model.`,
    )
  }
  const { data: dhtPrefix } = petalsModelSchema.shape.dhtPrefix.safeParse(text)
  if (dhtPrefix === undefined)
    return refuse(`'${text}' is not allowed; it must be a prefix without dots and spaces.`)
  return { ...asked, specs: asked.specs.map((each) => (each === spec ? { ...spec, dhtPrefix } : each)) }
}

function chooseModels(
  asked: RequestedModels,
  fileModels: readonly ModelEntry[] | undefined,
): readonly ModelEntry[] {
  const askedIds = new Set(asked.specs.map(({ id }) => id))
  const others = (fileModels ?? []).filter(({ id }) => !askedIds.has(id))
  const models = [...asked.specs, ...others]
  return models.length > 0 ? models : [defaultSpec]
}

const entriesOf = (draft: ConfigDraft): readonly WrittenEntry[] =>
  draft.models.map((value, index) => ({
    path: ['models', index],
    value,
    origin: (key) => draft.origin(key, 'value'),
  }))

/** Sorts mistakes: those of flags and variables first, then those of the file from top to bottom. */
function sortByPlace(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const place = ({ origin }: ConfigProblem) =>
    origin.kind === 'file' ? origin.line * 1e5 + origin.column : 0
  return problems.toSorted((a, b) => place(a) - place(b))
}
