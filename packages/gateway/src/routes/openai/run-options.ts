import type { Logger } from '@petals-chat/engine'

/** How an answer is run, besides what it is. */
export interface RunOptions {
  readonly logger: Logger
  /** Tell the way that it takes through a swarm. */
  readonly wantsRoute: boolean
}
