import { readFile } from 'node:fs/promises'
import type { AbortOptions, Logger } from '@petals-chat/engine'
import type { HubConfig, HubPaths } from '../config.ts'
import { ModelSourceError } from '../errors.ts'
import { HubHttp } from '../http/hub-http.ts'
import { canReachHub } from '../http/reachability.ts'

/** What all code that uses the Hub shares. */
export interface HubContext {
  readonly config: HubConfig
  readonly paths: HubPaths
  readonly logger: Logger
  readonly http: HubHttp
  readonly token: () => Promise<string | undefined>
  canReach(options?: AbortOptions): Promise<boolean>
  /** Resolves if the Hub can be used. @throws ModelSourceError (`offline`, `unreachable`) that says that `what` is missing */
  requireReach(what: string, options?: AbortOptions): Promise<void>
}

export function createHubContext(
  config: HubConfig,
  paths: HubPaths,
  logger: Logger,
  send: typeof fetch,
): HubContext {
  const token = async (): Promise<string | undefined> => config.token ?? (await readToken(paths.tokenPath))
  const canReach = (options?: AbortOptions): Promise<boolean> =>
    canReachHub(config, { ...options, fetch: send })
  return {
    config,
    paths,
    logger,
    token,
    http: new HubHttp({ ...config, fetch: send, token }),
    canReach,
    requireReach: async (what, options) => {
      if (config.offline) throw offline(what)
      if (!(await canReach(options))) throw unreachable(what, config.endpoint)
    },
  }
}

const readToken = async (path: string): Promise<string | undefined> => {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.trim() || undefined
}

const offline = (what: string): ModelSourceError =>
  new ModelSourceError(
    'offline',
    `${what} is not on this machine, and the network is switched off (HF_HUB_OFFLINE, --offline or hub.offline). ` +
      'Run once with the network to download it.',
  )

const unreachable = (what: string, endpoint: string): ModelSourceError =>
  new ModelSourceError(
    'unreachable',
    `${what} is not on this machine, and ${new URL(endpoint).host} can't be reached. Check the network; ` +
      'behind a proxy set HTTPS_PROXY and NODE_USE_ENV_PROXY=1; HF_ENDPOINT names a mirror.',
  )
