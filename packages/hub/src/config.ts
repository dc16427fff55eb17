import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'

/** The `hub:` section of petals-chat.yaml. Defaults live here and nowhere else. */
export const hubConfigSchema = z.strictObject({
  /** Another address serves mirrors and the tests' stand-in; a path in front of the API is kept. */
  endpoint: z
    .url({ protocol: /^https?$/ })
    .overwrite((url) => url.replace(/\/+$/, ''))
    .default('https://huggingface.co')
    .describe('Address of the Hugging Face Hub or a mirror of it (HF_ENDPOINT).'),
  token: z
    .string()
    .min(1)
    .optional()
    .describe('Access token for gated and private models. Better kept in HF_TOKEN than in a file.'),
  tokenPath: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File with the access token (HF_TOKEN_PATH); default ~/.cache/huggingface/token, where `hf auth login` puts it.',
    ),
  cacheDir: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The Hub's cache, shared with other programs (HF_HUB_CACHE); default ~/.cache/huggingface/hub.",
    ),
  wheelCacheDir: z
    .string()
    .min(1)
    .optional()
    .describe('Where files out of PyPI wheels are kept; default ~/.cache/petals-chat/wheels.'),
  offline: z.boolean().default(false).describe('Use only what is on this machine already (HF_HUB_OFFLINE).'),
  /** The Hub answers within a second; a proxy that inspects content may take several. */
  requestTimeoutMs: z
    .int()
    .min(100)
    .default(15_000)
    .describe('How long the Hub may take to begin an answer, in milliseconds.'),
  /** As long as a slow link needs to recover, and no longer than a person waits in front of a bar that stands still. */
  stallTimeoutMs: z
    .int()
    .min(100)
    .default(30_000)
    .describe('A download that gets no byte for so long is taken up anew, in milliseconds.'),
  /** With the doubling pauses between them, about 15 s of outage are bridged. */
  retries: z
    .int()
    .min(0)
    .default(5)
    .describe('How often a request is repeated before giving up; progress sets the count back.'),
  retryDelayMs: z
    .int()
    .min(0)
    .default(500)
    .describe('Pause before the first repetition, in milliseconds; it doubles each time, up to 8 s.'),
})

export type HubConfig = Readonly<z.output<typeof hubConfigSchema>>
/** The section as a person writes it. */
export type HubConfigInput = Readonly<z.input<typeof hubConfigSchema>>

/** The environment's variables, as `process.env` gives them. Empty ones count as unset. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The `hub:` section with the say that the environment has over it, by the variables of `huggingface_hub`: `HF_TOKEN`,
 * `HF_TOKEN_PATH`, `HF_HOME`, `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_ENDPOINT` and `HF_HUB_OFFLINE` win over the
 * section; `XDG_CACHE_HOME` only moves the defaults. Give the result to `hubConfigSchema`.
 */
export function hubConfigFromEnvironment(env: Environment, section: HubConfigInput = {}): HubConfigInput {
  const get = (...names: readonly string[]): string | undefined =>
    names.map((name) => env[name]?.trim()).find((value) => value !== undefined && value !== '')
  const getPath = (...names: readonly string[]): string | undefined => absolute(get(...names))
  const hfHome = getPath('HF_HOME')
  const cacheHome = getPath('XDG_CACHE_HOME') ?? defaultCacheHome
  const defaultHfHome = join(cacheHome, 'huggingface')
  const token = get('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN')
  const tokenPath = getPath('HF_TOKEN_PATH')
  const cacheDir = getPath('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE') ?? (hfHome && join(hfHome, 'hub'))
  const offline = get('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE')
  return {
    ...section,
    endpoint: get('HF_ENDPOINT') ?? section.endpoint,
    // A token file named in the environment wins over a token written in the file.
    token: token ?? (tokenPath === undefined ? section.token : undefined),
    tokenPath:
      tokenPath ?? (hfHome ? join(hfHome, 'token') : (section.tokenPath ?? join(defaultHfHome, 'token'))),
    cacheDir: cacheDir ?? section.cacheDir ?? join(defaultHfHome, 'hub'),
    wheelCacheDir: section.wheelCacheDir ?? join(cacheHome, 'petals-chat', 'wheels'),
    offline: offline === undefined ? section.offline : isTrue(offline),
  }
}

/** Folders and files with `~` and the defaults filled in. */
export interface HubPaths {
  readonly cacheDir: string
  readonly wheelCacheDir: string
  readonly tokenPath: string
}

const defaultCacheHome = join('~', '.cache')

/** Where things are: defaults filled in, `~` is `home`, and relative paths of the file are relative to `baseFolder`. */
export function hubPaths(config: HubConfig, home: string = homedir(), baseFolder = '.'): HubPaths {
  const defaultHfHome = join(defaultCacheHome, 'huggingface')
  const locate = (path: string): string => resolve(baseFolder, expandHome(path, home))
  return {
    cacheDir: locate(config.cacheDir ?? join(defaultHfHome, 'hub')),
    wheelCacheDir: locate(config.wheelCacheDir ?? join(defaultCacheHome, 'petals-chat', 'wheels')),
    tokenPath: locate(config.tokenPath ?? join(defaultHfHome, 'token')),
  }
}

/** Relative paths of the environment are relative to the working directory, not to the config file. */
const absolute = (path: string | undefined): string | undefined =>
  path === undefined || path.startsWith('~') ? path : resolve(path)

/** `~` and `~/…` (`~\…` on Windows) in the home folder. */
export const expandHome = (path: string, home: string): string =>
  path === '~' || /^~[/\\]/.test(path) ? join(home, path.slice(1)) : path

// huggingface_hub/constants.py: ENV_VARS_TRUE_VALUES
const isTrue = (value: string): boolean => ['1', 'ON', 'YES', 'TRUE'].includes(value.toUpperCase())
