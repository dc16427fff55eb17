import type { Logger, RouteHop, RouteReport } from '@petals-chat/engine'

/** Logs the route of an answer. */
export function logRoute(logger: Logger, { hops, failovers, pushed, tokensPerStep }: RouteReport): void {
  if (hops.length === 0) return
  const fields = {
    route: hops.map(describeHop).join(' => '),
    ...(pushed && { pushed }),
    ...(tokensPerStep !== undefined && { tokensPerStep: Math.round(tokensPerStep * 100) / 100 }),
    ...(failovers.length > 0 && { failovers: failovers.length }),
  }
  logger.info(fields, 'answered by the swarm')
}

/** `0:15 via my-gpu (…mCKzzv)`, as Petals shows routes; the end of an id is enough to tell peers apart. */
const describeHop = ({ start, end, peer, publicName }: RouteHop): string => {
  const id = `…${peer.slice(-6)}`
  return `${start}:${end} via ${publicName === undefined ? id : `${publicName} (${id})`}`
}
