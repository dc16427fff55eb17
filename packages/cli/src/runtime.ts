import {
  createModelRegistry,
  silentLogger,
  EngineError,
  silentMetrics,
  type Logger,
  type Metrics,
  type ModelRegistry,
  type SwarmView,
  type ToolBox,
} from '@petals-chat/engine'
import { createModelStore, type ModelStore } from '@petals-chat/hub'
import type { LoadedConfig } from './config/load.ts'
import { formatProblem } from './config/problem.ts'
import { createEngines } from './engines.ts'
import { createLogger } from './logging/logger.ts'
import { withJoinCommands } from './swarm/with-join-commands.ts'
import type { Terminal } from './terminal/terminal.ts'
import { version } from './version.ts'

export interface RuntimeOptions {
  readonly terminal: Terminal
  readonly metrics?: Metrics
  /**
   * Log only warnings and errors, unless the user has set a level, and not why a model can't be loaded: the command reports it.
   */
  readonly quiet?: boolean
  /** Provide `swarm` even if no model belongs to a swarm. */
  readonly withSwarm?: boolean
}

/** Everything between the configuration and the models. */
export interface Runtime extends AsyncDisposable {
  readonly logger: Logger
  readonly store: ModelStore
  readonly registry: ModelRegistry
  /** What models may call. */
  readonly tools: ToolBox
  /** The swarm of the models; undefined if no model belongs to one. */
  readonly swarm: SwarmView | undefined
  /** Resolves when the servers of models that others run have been looked at once. */
  looked(): Promise<void>
}

/** Connects config → logger → store → engines → registry. Nothing heavy is loaded before the first model. */
export async function createRuntime(loaded: LoadedConfig, options: RuntimeOptions): Promise<Runtime> {
  const { config, baseFolder } = loaded
  const { terminal, metrics = silentMetrics, withSwarm = false } = options
  const logger = await createConfiguredLogger(loaded, options)
  const store = createStore(loaded, logger)
  const engines = await createEngines({ config, baseFolder, store, logger, metrics }, { withSwarm })
  // On a terminal, the progress bar and the list of models show the same more clearly.
  const isQuiet = options.quiet === true && !isLevelAsked(loaded)
  const isTerse = config.log.level !== 'debug' && (terminal.isInteractive || isQuiet)
  const registryLogger = isTerse ? onlyWarnings(logger, options.quiet) : logger
  const registry = createModelRegistry({
    models: engines.models,
    logger: registryLogger,
    metrics,
    idleUnloadMs: config.unloadAfterMs,
  })
  const swarm = engines.petals?.swarm
  const { createToolBox } = await import('@petals-chat/tools')
  const tools = await createToolBox(config.tools, { logger, version })
  return {
    logger,
    store,
    registry,
    tools,
    swarm: swarm && withJoinCommands(swarm, loaded),
    looked: async () => engines.upstream?.looked(),
    async [Symbol.asyncDispose]() {
      await tools[Symbol.asyncDispose]()
      await registry[Symbol.asyncDispose]()
      await engines[Symbol.asyncDispose]()
    },
  }
}

/** Creates only the model store, for commands that load no model. */
export function createStore({ config, baseFolder }: LoadedConfig, logger?: Logger): ModelStore {
  return createModelStore(config.hub, { logger, baseFolder })
}

const isLevelAsked = ({ origin }: LoadedConfig): boolean => origin(['log', 'level']).kind !== 'default'

async function createConfiguredLogger(
  loaded: LoadedConfig,
  { terminal, quiet = false }: RuntimeOptions,
): Promise<Logger> {
  const { config, warnings } = loaded
  const level = quiet && !isLevelAsked(loaded) ? 'warn' : config.log.level
  const secrets = [
    config.hub.token,
    ...config.models.map((model) => (model.engine === 'upstream' ? model.apiKey : undefined)),
    ...config.tools.servers.flatMap(({ headers }) => Object.values(headers)),
  ].filter((secret) => secret !== undefined)
  const logger = await createLogger({ ...config.log, level }, terminal, { secrets })
  for (const warning of warnings) logger.warn({}, formatProblem(warning))
  return logger
}

/** `isReported`: errors in words for users are reported elsewhere; all others have details that only the log shows. */
const onlyWarnings = (logger: Logger, isReported = false): Logger => ({
  ...silentLogger,
  warn: (fields, message) => logger.warn(fields, message),
  error(fields, message) {
    const { err } = fields as { readonly err?: unknown }
    if (!isReported || !(err instanceof EngineError)) logger.error(fields, message)
  },
  child: (bindings) => onlyWarnings(logger.child(bindings), isReported),
})
