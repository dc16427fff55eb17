import path from 'node:path'
import { modelSpecSchema, type ModelSource } from '@petals-chat/engine'
import { petalsModelSchema } from '@petals-chat/petals/config'
import { defaultModel } from '@petals-chat/hub'
import { ConfigDraft } from './draft.ts'
import { findConfigFile } from './find-file.ts'
import { parseModelFlag } from './model-flag.ts'
import { findUnknownVariables } from './overrides.ts'
import type { Environment, Flags } from './overrides.ts'
import { ConfigError } from './problem.ts'
import type { ConfigProblem, KeyPath, Origin } from './problem.ts'
import { z } from 'zod'
import { findRepeatedNames, type WrittenEntry } from './repeated-names.ts'
import { configSchema, modelEntrySchema, type Config, type ModelEntry } from './schema.ts'
import { configFileSetting, dhtPrefixSetting, flagName, modelSetting } from './settings.ts'
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
  /** What relative paths in the configuration are relative to: the file's folder, else the working directory. */
  readonly baseFolder: string
  /** Where the value of a key comes from. */
  origin(path: KeyPath): Origin
  /** Models of `--model` or its variable that are in no file, and which of both named them. */
  readonly added: readonly AddedModel[]
  /** Things that are probably not meant, though they do no harm. */
  readonly warnings: readonly ConfigProblem[]
}

export interface AddedModel {
  readonly source: ModelSource
  readonly origin: Origin
}

/** The configuration with its models: those of `--model` first, then the file's; the default model where there are none. */
export type ResolvedConfig = Omit<Config, 'models'> & { readonly models: readonly ModelEntry[] }

/**
 * Brings flags, environment, file and defaults together, in that order of precedence.
 * @throws ConfigError with every mistake that can be found in one go
 */
export async function loadConfig(options: LoadConfigOptions): Promise<LoadedConfig> {
  const { environment, flags, workingDirectory } = options
  const requested = requestedFile(flags, environment)
  const file = options.ignoreFile === true ? undefined : await findConfigFile({ workingDirectory, requested })
  const draft = new ConfigDraft(file, flags, environment)
  const parsed = configSchema.safeParse(draft.data)

  const fileModels = parsed.data?.models ?? (draft.models.length === 0 ? [defaultSpec] : [])
  const asked = readModelFlags(fileModels, options)
  const problems = [
    ...draft.problems,
    ...draft.trustworthy(describeIssues(issuesOf(parsed.error?.issues ?? [], draft), draft)),
    ...asked.problems,
    ...findRepeatedNames([...asked.entries, ...entriesOf(draft)]),
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

/** What every engine's entries have, for entries whose engine is not known: further keys may be an engine's own. */
const anyEngineSchema = z.object(modelSpecSchema.shape)

/** The issues, and those that the schema does not look for in an entry whose `engine` is wrong. */
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

interface AskedModels {
  readonly specs: readonly ModelEntry[]
  /** Those that are not in the file: as they were written, for the checks; and as `LoadedConfig.added` reports them. */
  readonly entries: readonly WrittenEntry[]
  readonly added: readonly AddedModel[]
  readonly problems: readonly ConfigProblem[]
}

/** `--model`, as often as it is given; else PETALS_CHAT_MODEL, several split at commas. */
function readModelFlags(fileModels: readonly ModelEntry[], options: LoadConfigOptions): AskedModels {
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
  // The default model can be asked for by its name though it is in no file.
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

/** Gives the prefix to the model of a swarm that was asked for: were there several, it would be a guess. */
function withDhtPrefix(asked: AskedModels, { text, origin }: DhtPrefix): AskedModels {
  const refuse = (message: string): AskedModels => ({
    ...asked,
    problems: [...asked.problems, { origin, path: [], message }],
  })
  const [spec, ...others] = asked.specs.filter((each) => each.engine === 'petals')
  if (spec === undefined || others.length > 0) {
    const found = spec === undefined ? 'there is none' : 'there are several'
    return refuse(
      `it is for the one model of a swarm of --model petals:SOURCE, and ${found}. In petals-chat.yaml each model has its dhtPrefix.`,
    )
  }
  const { data: dhtPrefix } = petalsModelSchema.shape.dhtPrefix.safeParse(text)
  if (dhtPrefix === undefined) return refuse(`'${text}' is not allowed; it must be without dots and spaces.`)
  return { ...asked, specs: asked.specs.map((each) => (each === spec ? { ...spec, dhtPrefix } : each)) }
}

function chooseModels(
  asked: AskedModels,
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

/** Mistakes of the file from top to bottom; those of flags and variables before them. */
function sortByPlace(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const place = ({ origin }: ConfigProblem) =>
    origin.kind === 'file' ? origin.line * 1e5 + origin.column : 0
  return problems.toSorted((a, b) => place(a) - place(b))
}
