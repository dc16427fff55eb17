import type { Logger } from '@petals-chat/engine'
import type { Claim } from '../../context.ts'

/** Whose answer runs, and what is told of it. */
export interface RunOptions extends Pick<Claim, 'allowance' | 'reader'> {
  readonly logger: Logger
  readonly account: string
  /** Report the route through the swarm, and waits, in `petals`. */
  readonly wantsRoute: boolean
  /** A part of the request has run, under an admission that covers the rest: neither limits nor a full queue refuse it. */
  readonly isContinued?: boolean | undefined
  /** The header `Via` of the request. */
  readonly via?: string | undefined
}
