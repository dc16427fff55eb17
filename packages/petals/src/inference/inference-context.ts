import type { Logger, Metrics } from '@petals-chat/engine'
import type { BlockRange } from '../blocks/block-range.ts'
import type { SwarmConfig } from '../config.ts'
import type { Router } from '../routing/router.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'
import { ServerCapabilities } from './server-capabilities.ts'
import { ServerCodecs } from './server-codecs.ts'
import { ServerLimits } from './server-limits.ts'
import type { StepObserver } from './step-observer.ts'
import { StandbyLoad } from './standby/standby-load.ts'
import { StepTimes } from './step-times.ts'

export type InferenceConfig = Pick<
  SwarmConfig,
  | 'connectTimeoutMs'
  | 'maxRetries'
  | 'waitTimeoutMs'
  | 'stepTimeoutMs'
  | 'prefillChunkTokens'
  | 'serverToServer'
  | 'sessionLifetimeMs'
  | 'keepAliveMs'
  | 'idleTimeoutMs'
  | 'aheadTimeoutMs'
  | 'audit'
  | 'standby'
  | 'initialPeers'
>

/** What all sessions of one model share. */
export interface InferenceContext {
  readonly router: Router
  readonly rpc: RpcClient
  readonly dhtPrefix: string
  readonly blocks: BlockRange
  readonly hiddenSize: number
  readonly adapter?: string | undefined
  readonly config: InferenceConfig
  readonly logger: Logger
  readonly metrics: Metrics
  /** What this client has learnt about servers. */
  readonly times: StepTimes
  readonly capabilities: ServerCapabilities
  readonly limits: ServerLimits
  readonly codecs: ServerCodecs
  readonly standbyLoad: StandbyLoad
  /** Sees every step of every session; undefined if no part of the program wants to. */
  readonly observer?: StepObserver | undefined
}

/** What the caller knows about a model. The rest of its context is learnt from its servers. */
export type InferenceContextOptions = Omit<
  InferenceContext,
  'times' | 'capabilities' | 'limits' | 'codecs' | 'standbyLoad'
>

/** Creates a context that knows nothing about the model's servers yet. */
export function createInferenceContext(options: InferenceContextOptions): InferenceContext {
  return {
    ...options,
    times: new StepTimes(options.config.stepTimeoutMs),
    capabilities: new ServerCapabilities(options),
    limits: new ServerLimits(),
    codecs: new ServerCodecs(),
    standbyLoad: new StandbyLoad(),
  }
}
