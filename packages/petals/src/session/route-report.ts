import type { PrecisionChange, RouteReport } from '@petals-chat/engine'
import { differingNames } from '../blocks/numbers.ts'
import type { Span } from '../blocks/spans.ts'
import type { InferenceSession } from '../inference/inference-session.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** Describes a session's route and its failovers. `decodeMs` returns the median time of a decode step on a server. */
export function reportRoute(
  {
    route,
    standbys,
    failovers,
    pushed,
  }: Pick<InferenceSession, 'route' | 'standbys' | 'failovers' | 'pushed'>,
  decodeMs: (peer: PeerId) => number | undefined,
): RouteReport {
  return {
    hops: route.map((span, index) => {
      const standby = standbys[index]
      return {
        ...describe(span),
        ...rangeOf(span),
        stepMs: decodeMs(span.peer),
        standby: standby && { ...describe(standby.span), position: standby.position },
      }
    }),
    failovers: failovers.map(({ failed, reason, position, pauseMs, replacedBy, wrongFrom, byStandby }) => ({
      ...describe(failed),
      ...rangeOf(failed),
      reason,
      position,
      pauseMs,
      replacedBy: replacedBy.map(describe),
      wrongFrom,
      byStandby,
      precision: precisionChange(failed, replacedBy),
    })),
    pushed,
  }
}

const describe = ({ peer, server }: Span): { peer: string; publicName: string | undefined } => ({
  peer,
  publicName: server.publicName,
})

const rangeOf = ({ start, end }: Span): { start: number; end: number } => ({ start, end })

/** Where several servers replace one, those that compute as it did are not named. */
function precisionChange(failed: Span, replacedBy: readonly Span[]): PrecisionChange | undefined {
  const changes = replacedBy.flatMap(({ server }) => differingNames(failed.server, server) ?? [])
  const [first] = changes
  return first && { before: first.before, after: [...new Set(changes.map(({ after }) => after))].join(', ') }
}
