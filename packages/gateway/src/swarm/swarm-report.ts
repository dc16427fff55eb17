import type { PetalsBody, PetalsRequest, RouteBody, WaitingBody } from '@petals-chat/api'
import { describeWait, type RouteReport, type Session, type SwarmWait } from '@petals-chat/engine'

const ROUTE_HEADER = 'x-petals-route'

/**
 * Reports whether a request asks for its route: by the field of the body, or by the header, for clients whose library
 * can't send further fields.
 */
export function asksForRoute(
  petals: PetalsRequest | null | undefined,
  header: (name: string) => string | undefined = () => undefined,
): boolean {
  return petals?.route ?? /^(1|true)$/i.test(header(ROUTE_HEADER) ?? '')
}

/** How a stream reports that its answer waits, for servers or for its turn, or continues. */
export interface WaitNotice {
  /** For a person who reads the stream; undefined when the answer continues. */
  readonly comment: string | undefined
  /** For clients that asked for their route. */
  readonly petals: PetalsBody | undefined
}

/** Tells who asked for the route the place of the answer in the queue; undefined: its turn has come. */
export const placeNotice = (place: number | undefined): WaitNotice & { readonly petals: PetalsBody } => ({
  comment: place === undefined ? undefined : `waiting in the queue, place ${place}`,
  petals: { queue: place === undefined ? null : { place } },
})

/**
 * Reports one answer's route through the swarm, and its waits, as every API sends them: the route at once, whenever it
 * changes, and at the end.
 */
export class SwarmReport {
  readonly #isWanted: boolean
  readonly #route: (() => RouteReport) | undefined
  #reportedKey = ''

  /** `isWanted`: the request asked for its route. Engines without routes report none. */
  constructor(session: Pick<Session, 'route'>, isWanted: boolean) {
    this.#isWanted = isWanted
    this.#route = isWanted && session.route ? () => session.route!() : undefined
  }

  /** Returns the route if it differs from the one that was reported last. */
  changed(): PetalsBody | undefined {
    const route = this.#route?.()
    if (route === undefined || keyOf(route) === this.#reportedKey) return undefined
    return this.#report(route)
  }

  /** Returns the route as it is now. */
  final(): PetalsBody | undefined {
    const route = this.#route?.()
    return route && this.#report(route)
  }

  /** `wait`: what the engine waits for; undefined when it continues. */
  wait(wait: SwarmWait | undefined): WaitNotice {
    return {
      comment: wait && `${describeWait(wait)} until ${new Date(wait.until).toISOString()}`,
      petals: this.#isWanted ? { waiting: wait === undefined ? null : waitingBody(wait) } : undefined,
    }
  }

  #report(route: RouteReport): PetalsBody {
    this.#reportedKey = keyOf(route)
    return { route: routeBody(route) }
  }
}

/** Changes with the servers, not with their step times. */
const keyOf = ({ hops, failovers, pushed }: RouteReport): string =>
  JSON.stringify([
    hops.map(({ peer, start, end, standby }) => [peer, start, end, standby?.peer]),
    failovers.map(({ wrongFrom }) => wrongFrom ?? null),
    pushed,
  ])

function routeBody({ hops, failovers, pushed, tokensPerStep }: RouteReport): RouteBody {
  return {
    hops: hops.map(({ start, end, stepMs, standby, ...hop }) => ({
      ...serverBody(hop),
      start,
      end,
      step_ms: stepMs === undefined ? undefined : roundToMicroseconds(stepMs),
      standby: standby && { ...serverBody(standby), position: standby.position },
    })),
    failovers: failovers.map(
      ({
        start,
        end,
        reason,
        position,
        pauseMs,
        replacedBy,
        wrongFrom,
        byStandby,
        precision,
        ...failed
      }) => ({
        ...serverBody(failed),
        start,
        end,
        reason,
        position,
        pause_ms: roundToMicroseconds(pauseMs),
        replaced_by: replacedBy.map(serverBody),
        wrong_from: wrongFrom,
        by_standby: byStandby || undefined,
        precision,
      }),
    ),
    pushed,
    tokens_per_step: tokensPerStep === undefined ? undefined : Math.round(tokensPerStep * 100) / 100,
  }
}

/** The wire has seconds, the engine milliseconds. */
const waitingBody = ({ blocks, since, until }: SwarmWait): WaitingBody => ({
  blocks: [...blocks],
  since: since / 1000,
  until: until / 1000,
})

interface ServerName {
  readonly peer: string
  readonly publicName: string | undefined
}

const serverBody = ({ peer, publicName }: ServerName) => ({ peer, public_name: publicName })

/** Rounds milliseconds to microseconds, which is precise enough. */
const roundToMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000
