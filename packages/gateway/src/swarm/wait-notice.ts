import type { PetalsBody } from '@petals-chat/api'
import { describeWait, type SwarmWait } from '@petals-chat/engine'
import { waitingBody } from './route-body.ts'

/** That an answer waits for servers, or goes on, as its stream tells it. */
export interface WaitNotice {
  /** For a person who looks at the stream; undefined when the answer goes on. */
  readonly comment: string | undefined
  /** For clients that asked. */
  readonly petals: PetalsBody | undefined
}

/** `wanted`: the request asked for what engines tell of the swarm. */
export function waitNotice(wait: SwarmWait | undefined, wanted: boolean): WaitNotice {
  return {
    comment: wait && commentOf(wait),
    petals: wanted ? { waiting: wait === undefined ? null : waitingBody(wait) } : undefined,
  }
}

const commentOf = (wait: SwarmWait): string =>
  `${describeWait(wait)} until ${new Date(wait.until).toISOString()}`
