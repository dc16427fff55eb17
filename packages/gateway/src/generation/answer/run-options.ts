import type { Logger } from '@petals-chat/engine'
import type { Claim } from '../../context.ts'

/** Whose answer runs, and what is told of it. */
export interface RunOptions extends Pick<Claim, 'allowance' | 'reader'> {
  readonly logger: Logger
  readonly account: string
  /** Report the route through the swarm, and waits, in `petals`. */
  readonly wantsRoute: boolean
  /** The header `Via` of the request. */
  readonly via?: string | undefined
}
