import { it } from 'vitest'

/** A publicly known incident of another program, and what holds here. */
export interface Incident {
  /** The program, with the versions that had the fault where they are known. */
  readonly product: string
  /**
   * The year of the identifier; with the month, where npm's registry shows that the release with the mend was there in it.
   */
  readonly dated: `${number}` | `${number}-${number}`
  readonly happened: string
  /** What this program does in the same case: the title of the test. */
  readonly holds: string
}

/** Incidents by their identifiers: a CVE or GHSA number, or a name where there is none. */
export type Incidents = Readonly<Record<string, Incident>>

/** Returns the function that declares the test of one incident of `incidents`. */
export const testsOf =
  <const T extends Incidents>(incidents: T) =>
  (id: keyof T & string, run: () => Promise<void>): void =>
    it(`${incidents[id]!.product} (${id}): ${incidents[id]!.holds}`, run)
