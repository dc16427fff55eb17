import type { RouteBody, WaitingBody } from '@petals-chat/api'
import type { RouteReport, SwarmWait } from '@petals-chat/engine'

export function routeBody({ hops, failovers, pushed }: RouteReport): RouteBody {
  return {
    hops: hops.map(({ start, end, stepMs, ...hop }) => ({
      ...serverBody(hop),
      start,
      end,
      step_ms: stepMs === undefined ? undefined : rounded(stepMs),
    })),
    failovers: failovers.map(({ start, end, reason, position, pauseMs, replacedBy, ...failed }) => ({
      ...serverBody(failed),
      start,
      end,
      reason,
      position,
      pause_ms: rounded(pauseMs),
      replaced_by: replacedBy.map(serverBody),
    })),
    pushed,
  }
}

export function waitingBody({ blocks, since, until }: SwarmWait): WaitingBody {
  return { blocks: [...blocks], since: since / 1000, until: until / 1000 }
}

const serverBody = ({
  peer,
  publicName,
}: {
  readonly peer: string
  readonly publicName: string | undefined
}) => ({ peer, public_name: publicName })

/** Microseconds are enough. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000
