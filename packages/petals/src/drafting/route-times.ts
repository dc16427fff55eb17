import { RoundTimes } from '@petals-chat/engine/drafting'

/** Routes whose times are kept. */
const maxRoutes = 64

/** The times of all routes of a model that were used lately. */
export class RouteTimes {
  readonly #routes = new Map<string, RoundTimes>()

  /** @param route - names the servers and the way between them */
  of(route: string): RoundTimes {
    const times = this.#routes.get(route) ?? new RoundTimes()
    this.#routes.delete(route)
    this.#routes.set(route, times)
    const [oldest] = this.#routes.keys()
    if (this.#routes.size > maxRoutes && oldest !== undefined) this.#routes.delete(oldest)
    return times
  }
}
