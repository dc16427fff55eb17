/** A flag and the environment variable with the same meaning. */
export interface Setting {
  /** As commander reads it: `--port <number>`. */
  readonly flag: string
  readonly variable: string
  /** Description for `--help`. */
  readonly summary: string
  readonly group: 'Server' | 'Models' | 'Swarm' | 'Logs' | 'Configuration'
  readonly repeatable?: boolean
}

/** A flag that sets a key of the configuration. */
export interface ConfigSetting extends Setting {
  readonly path: readonly string[]
  /** The value of a flag that is given without one (`--offline`). */
  readonly implied?: string
}

/**
 * The flags that set a config key. Add one here: its variable, `--help` and docs/configuration.md follow. Flags take
 * precedence over variables, variables over the file, and the file over defaults.
 */
export const configSettings: readonly ConfigSetting[] = [
  {
    flag: '--host <address>',
    variable: 'PETALS_CHAT_HOST',
    summary: 'address to listen on; on one that other machines can reach, clients need API keys',
    group: 'Server',
    path: ['server', 'host'],
  },
  {
    flag: '--port <number>',
    variable: 'PETALS_CHAT_PORT',
    summary: 'port to listen on; 0: any free port',
    group: 'Server',
    path: ['server', 'port'],
  },
  {
    flag: '--insecure-public',
    variable: 'PETALS_CHAT_INSECURE_PUBLIC',
    summary: 'let every client that can reach --host use the models, without API keys',
    group: 'Server',
    path: ['server', 'insecurePublic'],
    implied: 'true',
  },
  {
    flag: '--keys <when>',
    variable: 'PETALS_CHAT_KEYS',
    summary:
      'whether clients need an API key: auto (on a public host, or once there is a key), required, off',
    group: 'Server',
    path: ['server', 'access', 'keys'],
  },
  {
    flag: '--keys-file <file>',
    variable: 'PETALS_CHAT_KEYS_FILE',
    summary: 'SQLite file of the API keys',
    group: 'Server',
    path: ['server', 'access', 'file'],
  },
  {
    flag: '--limits-store <url>',
    variable: 'PETALS_CHAT_LIMITS_STORE',
    summary: 'Valkey or Redis server in which several gateways count limits together (valkey://host:6379)',
    group: 'Server',
    path: ['server', 'limits', 'store', 'url'],
  },
  {
    flag: '--trusted-host <name>',
    variable: 'PETALS_CHAT_TRUSTED_HOSTS',
    summary: 'another name under which clients reach this server; may be given several times',
    group: 'Server',
    path: ['server', 'trustedHosts'],
    repeatable: true,
  },
  {
    flag: '--trusted-proxy <address>',
    variable: 'PETALS_CHAT_TRUSTED_PROXIES',
    summary:
      'address or network of a proxy that names its clients (X-Forwarded-For); may be given several times',
    group: 'Server',
    path: ['server', 'trustedProxies'],
    repeatable: true,
  },
  {
    flag: '--base-path <path>',
    variable: 'PETALS_CHAT_BASE_PATH',
    summary: 'path under which a proxy serves this server, such as /chat',
    group: 'Server',
    path: ['server', 'basePath'],
  },
  {
    flag: '--gpu <backend>',
    variable: 'PETALS_CHAT_GPU',
    summary: 'backend for local models: auto, off (CPU), cuda, vulkan, metal',
    group: 'Models',
    path: ['llama', 'gpu'],
  },
  {
    flag: '--threads <number>',
    variable: 'PETALS_CHAT_THREADS',
    summary: 'CPU threads for local models; default: the available cores',
    group: 'Models',
    path: ['llama', 'threads'],
  },
  {
    flag: '--preload <which>',
    variable: 'PETALS_CHAT_PRELOAD',
    summary: 'models to load at the start: first, all or none',
    group: 'Models',
    path: ['preload'],
  },
  {
    flag: '--offline',
    variable: 'PETALS_CHAT_OFFLINE',
    summary: 'use only model files that are on this machine (same as HF_HUB_OFFLINE)',
    group: 'Models',
    path: ['hub', 'offline'],
    implied: 'true',
  },
  {
    flag: '--swarm <addresses>',
    variable: 'PETALS_CHAT_SWARM',
    summary: 'peers through which to join the swarm, separated by commas, or public; for the engine petals',
    group: 'Swarm',
    path: ['swarm', 'initialPeers'],
    repeatable: true,
  },
  {
    flag: '--log-level <level>',
    variable: 'PETALS_CHAT_LOG_LEVEL',
    summary: 'debug, info, warn, error or silent; prompts are logged only at debug',
    group: 'Logs',
    path: ['log', 'level'],
  },
  {
    flag: '--log-format <format>',
    variable: 'PETALS_CHAT_LOG_FORMAT',
    summary: 'pretty, json or auto (pretty on a terminal, else json)',
    group: 'Logs',
    path: ['log', 'format'],
  },
]

export const configFileSetting: Setting = {
  flag: '-c, --config <file>',
  variable: 'PETALS_CHAT_CONFIG',
  summary: 'configuration file; default: petals-chat.yaml in the working directory, if it exists',
  group: 'Configuration',
}

export const modelSetting: Setting = {
  flag: '-m, --model <model>',
  variable: 'PETALS_CHAT_MODEL',
  summary: '[NAME=]SOURCE of a model to add, or the name of a configured model; may be given several times',
  group: 'Models',
  repeatable: true,
}

export const dhtPrefixSetting: Setting = {
  flag: '--dht-prefix <prefix>',
  variable: 'PETALS_CHAT_DHT_PREFIX',
  summary: 'name in the swarm of the model of --model; default: derived from its source',
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

/** `--log-level <level>` → `logLevel`: the name under which commander passes a flag's value. */
export const flagKey = (setting: Pick<Setting, 'flag'>): string =>
  flagName(setting)
    .slice(2)
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
