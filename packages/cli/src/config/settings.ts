import type { KeyPath } from './problem.ts'

/** A flag and the environment variable that says the same. */
export interface Setting {
  /** As commander reads it: `--port <number>`. */
  readonly flag: string
  readonly variable: string
  /** What it does, for `--help`. */
  readonly summary: string
  readonly group: 'Server' | 'Models' | 'Swarm' | 'Logs' | 'Configuration'
  readonly repeatable?: boolean
}

/** A flag that sets a key of the configuration. */
export interface ConfigSetting extends Setting {
  readonly path: KeyPath
  /** What the flag without a value means (`--offline`). */
  readonly implied?: string
}

/** Flags win over variables, variables over the file, the file over defaults. */
export const configSettings: readonly ConfigSetting[] = [
  {
    flag: '--host <address>',
    variable: 'PETALS_CHAT_HOST',
    summary: 'address to listen on; others than this machine need --allow-public',
    group: 'Server',
    path: ['server', 'host'],
  },
  {
    flag: '--port <number>',
    variable: 'PETALS_CHAT_PORT',
    summary: 'port to listen on; 0 takes any free one',
    group: 'Server',
    path: ['server', 'port'],
  },
  {
    flag: '--allow-public',
    variable: 'PETALS_CHAT_ALLOW_PUBLIC',
    summary: 'let everybody who can reach --host use the models',
    group: 'Server',
    path: ['server', 'allowPublic'],
    implied: 'true',
  },
  {
    flag: '--trusted-host <name>',
    variable: 'PETALS_CHAT_TRUSTED_HOSTS',
    summary: 'name under which clients reach this server besides its own; may be given several times',
    group: 'Server',
    path: ['server', 'trustedHosts'],
    repeatable: true,
  },
  {
    flag: '--base-path <path>',
    variable: 'PETALS_CHAT_BASE_PATH',
    summary: 'path under which a proxy shows this server, such as /chat',
    group: 'Server',
    path: ['server', 'basePath'],
  },
  {
    flag: '--gpu <backend>',
    variable: 'PETALS_CHAT_GPU',
    summary: 'what computes local models: auto, off (CPU), cuda, vulkan, metal',
    group: 'Models',
    path: ['llama', 'gpu'],
  },
  {
    flag: '--threads <number>',
    variable: 'PETALS_CHAT_THREADS',
    summary: 'CPU threads for local models; left out: the cores that are really available',
    group: 'Models',
    path: ['llama', 'threads'],
  },
  {
    flag: '--preload <which>',
    variable: 'PETALS_CHAT_PRELOAD',
    summary: 'models to load at the start: first, all, none',
    group: 'Models',
    path: ['preload'],
  },
  {
    flag: '--offline',
    variable: 'PETALS_CHAT_OFFLINE',
    summary: 'use only model files that are on this machine (HF_HUB_OFFLINE says the same)',
    group: 'Models',
    path: ['hub', 'offline'],
    implied: 'true',
  },
  {
    flag: '--swarm <addresses>',
    variable: 'PETALS_CHAT_SWARM',
    summary: 'peers to join the swarm by, split at commas, or public; for models of the engine petals',
    group: 'Swarm',
    path: ['swarm', 'initialPeers'],
    repeatable: true,
  },
  {
    flag: '--log-level <level>',
    variable: 'PETALS_CHAT_LOG_LEVEL',
    summary: 'debug, info, warn, error, silent; prompts appear only at debug',
    group: 'Logs',
    path: ['log', 'level'],
  },
  {
    flag: '--log-format <format>',
    variable: 'PETALS_CHAT_LOG_FORMAT',
    summary: 'pretty, json, or auto: pretty on a terminal, else json',
    group: 'Logs',
    path: ['log', 'format'],
  },
]

export const configFileSetting: Setting = {
  flag: '-c, --config <file>',
  variable: 'PETALS_CHAT_CONFIG',
  summary: 'configuration file; left out: petals-chat.yaml of the working directory, if there is one',
  group: 'Configuration',
}

export const modelSetting: Setting = {
  flag: '-m, --model <model>',
  variable: 'PETALS_CHAT_MODEL',
  summary: '[NAME=]SOURCE of a model to add, or the name of a configured one; may be given several times',
  group: 'Models',
  repeatable: true,
}

export const dhtPrefixSetting: Setting = {
  flag: '--dht-prefix <prefix>',
  variable: 'PETALS_CHAT_DHT_PREFIX',
  summary: 'name in the swarm of the model of --model; left out: derived from its source',
  group: 'Swarm',
}

export const openSetting: Setting = {
  flag: '--open',
  variable: 'PETALS_CHAT_OPEN',
  summary: 'open the chat page in the browser',
  group: 'Server',
}

/** Every flag that has a variable. */
export const settings: readonly (Setting | ConfigSetting)[] = [
  ...configSettings,
  configFileSetting,
  modelSetting,
  dhtPrefixSetting,
  openSetting,
]

/** `-m, --model <model>` → `--model`. */
export const flagName = ({ flag }: Pick<Setting, 'flag'>): string => /--[a-z-]+/.exec(flag)![0]

/** `--log-level <level>` → `logLevel`: the name under which commander hands over a flag's value. */
export const flagKey = (setting: Pick<Setting, 'flag'>): string =>
  flagName(setting)
    .slice(2)
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
