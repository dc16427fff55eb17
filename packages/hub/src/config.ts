import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'

/** The `hub:` section of petals-chat.yaml. The only place of its defaults. */
export const hubConfigSchema = z.strictObject({
  /** Other addresses are those of mirrors and of the tests' server; a path before that of the API is kept. */
  endpoint: z
    .url({ protocol: /^https?$/ })
    .overwrite((url) => url.replace(/\/+$/, ''))
    .default('https://huggingface.co')
    .describe('Address of the Hugging Face Hub or of a mirror (HF_ENDPOINT).'),
  token: z
    .string()
    .min(1)
    .optional()
    .describe('Access token for gated and private models. HF_TOKEN is a safer place than a file.'),
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
    .describe('Folder for files from PyPI wheels; default ~/.cache/petals-chat/wheels.'),
  offline: z
    .boolean()
    .default(false)
    .describe('Use only files that are already on this machine (HF_HUB_OFFLINE).'),
  /** The Hub answers within a second; a proxy that inspects content may take several. */
  requestTimeoutMs: z
    .int()
    .min(100)
    .default(15_000)
    .describe('Milliseconds that the Hub may take to begin a response.'),
  /** Long enough for a slow connection to recover, but not longer than a user waits for a stalled progress bar. */
  stallTimeoutMs: z
    .int()
    .min(100)
    .default(30_000)
    .describe('Milliseconds without a byte after which a download is restarted where it stopped.'),
  /** With the doubling pauses between them, retries bridge an outage of about 15 s. */
  retries: z
    .int()
    .min(0)
    .default(5)
    .describe('Number of retries of a request before it fails; progress resets the count.'),
  retryDelayMs: z
    .int()
    .min(0)
    .default(500)
    .describe('Milliseconds before the first retry; the pause doubles each time, up to 8 s.'),
})

export type HubConfig = Readonly<z.output<typeof hubConfigSchema>>
/** The section as it is written in the file. */
export type HubConfigInput = Readonly<z.input<typeof hubConfigSchema>>

/** The environment's variables, as `process.env` gives them. Empty ones count as unset. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Applies the environment variables of `huggingface_hub` to the `hub:` section: `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HOME`,
 * `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_ENDPOINT` and `HF_HUB_OFFLINE` take precedence over the section;
 * `XDG_CACHE_HOME` only changes the defaults. Parse the result with `hubConfigSchema`.
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
    // A token file named in the environment takes precedence over a token in the file.
    token: token ?? (tokenPath === undefined ? section.token : undefined),
    tokenPath:
      tokenPath ?? (hfHome ? join(hfHome, 'token') : (section.tokenPath ?? join(defaultHfHome, 'token'))),
    cacheDir: cacheDir ?? section.cacheDir ?? join(defaultHfHome, 'hub'),
    wheelCacheDir: section.wheelCacheDir ?? join(cacheHome, 'petals-chat', 'wheels'),
    offline: offline === undefined ? section.offline : isTrue(offline),
  }
}

/** Absolute folders and files. */
export interface HubPaths {
  readonly cacheDir: string
  readonly wheelCacheDir: string
  readonly tokenPath: string
}

const defaultCacheHome = join('~', '.cache')

/** Resolves the paths: applies defaults, replaces `~` by `home`, and resolves relative paths against `baseFolder`. */
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

/** Replaces `~` and `~/…` (`~\…` on Windows) by the home folder. */
export const expandHome = (path: string, home: string): string =>
  path === '~' || /^~[/\\]/.test(path) ? join(home, path.slice(1)) : path

// huggingface_hub/constants.py: ENV_VARS_TRUE_VALUES
const isTrue = (value: string): boolean => ['1', 'ON', 'YES', 'TRUE'].includes(value.toUpperCase())
