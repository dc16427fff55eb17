import type { PetalsBody } from '@petals-chat/api'
import type { RouteReport, Session } from '@petals-chat/engine'
import { routeBody } from './route-body.ts'

/** Tells the route of a session to whoever asked for it: at once, whenever it changes, and at the end. */
export class RouteReceipt {
  readonly #route: (() => RouteReport) | undefined
  #told = ''

  /** `wanted`: the request asked. Engines without routes have nothing to tell. */
  constructor(session: Pick<Session, 'route'>, wanted: boolean) {
    this.#route = wanted && session.route ? () => session.route!() : undefined
  }

  /** The route, if it is another one than was told last. */
  changed(): PetalsBody | undefined {
    const route = this.#route?.()
    if (route === undefined || keyOf(route) === this.#told) return undefined
    return this.#tell(route)
  }

  /** The route as it is now. */
  final(): PetalsBody | undefined {
    const route = this.#route?.()
    return route && this.#tell(route)
  }

  #tell(route: RouteReport): PetalsBody {
    this.#told = keyOf(route)
    return { route: routeBody(route) }
  }
}

/** Changes with the servers, not with the times that they take. */
const keyOf = ({ hops, failovers, pushed }: RouteReport): string =>
  JSON.stringify([hops.map(({ peer, start, end }) => [peer, start, end]), failovers.length, pushed])
