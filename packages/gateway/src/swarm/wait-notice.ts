import type { SwarmWait } from '@petals-chat/engine'
import { waitingBody, type PetalsBody } from './route-body.ts'

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

function commentOf({ blocks, until }: SwarmWait): string {
  const ranges = blocks.map(({ start, end }) => (end - start === 1 ? `${start}` : `${start}-${end - 1}`))
  const noun = ranges.length === 1 && !ranges[0]!.includes('-') ? 'block' : 'blocks'
  return `waiting for a server of ${noun} ${ranges.join(', ')} until ${new Date(until).toISOString()}`
}
