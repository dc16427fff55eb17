import type { Logger, Metrics } from '@petals-chat/engine'
import type { BlockRange } from '../blocks/block-range.ts'
import type { SwarmConfig } from '../config.ts'
import type { Router } from '../routing/router.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'
import { ServerCapabilities } from './server-capabilities.ts'
import { ServerLimits } from './server-limits.ts'
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
}

/** What the caller knows about a model. The rest of its context is learnt from its servers. */
export type InferenceContextOptions = Omit<InferenceContext, 'times' | 'capabilities' | 'limits'>

/** Creates a context that knows nothing about the model's servers yet. */
export function createInferenceContext(options: InferenceContextOptions): InferenceContext {
  return {
    ...options,
    times: new StepTimes(options.config.stepTimeoutMs),
    capabilities: new ServerCapabilities(options),
    limits: new ServerLimits(),
  }
}
