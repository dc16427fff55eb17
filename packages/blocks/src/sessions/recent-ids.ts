/** Many more steps than are read ahead: a step arrives twice within a moment, from the client and pushed. */
const maxIds = 256

/** The latest ids of steps. A session may have any number of steps, so the oldest are forgotten. */
export class RecentIds {
  readonly #ids = new Set<string>()

  /** Adds an id, and reports whether it is new. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false
    this.#ids.add(id)
    const [oldest] = this.#ids
    if (this.#ids.size > maxIds) this.#ids.delete(oldest!)
    return true
  }
}
