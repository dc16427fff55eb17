/** What a part of the load has seen so far. */
export class Tally {
  readonly #counts = new Map<string, number>()
  readonly #problems: string[] = []

  count(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by)
  }

  /** Keeps the greatest value. */
  longest(what: string, value: number): void {
    this.#counts.set(what, Math.max(this.#counts.get(what) ?? 0, value))
  }

  /** Notes what must not happen, with the time, and prints it at once. */
  problem(text: string): void {
    const line = `${new Date().toISOString()} ${text}`
    this.#problems.push(line)
    console.error(line)
  }

  get problems(): readonly string[] {
    return this.#problems
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].toSorted(([a], [b]) => a.localeCompare(b)))
  }
}

/** Runs `round` again and again until `signal` aborts. A round that throws is a problem, and the next one runs all the same. */
export async function repeat(
  name: string,
  { signal, tally }: { readonly signal: AbortSignal; readonly tally: Tally },
  round: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await round()
    } catch (error) {
      if (!signal.aborted) tally.problem(`${name}: ${error instanceof Error ? error.message : String(error)}`)
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }
}
