import { aspects, type Difference } from './difference.ts'
import type { Precision } from './precision.ts'

type Closeness = 'exact' | 'rounded' | 'different'

/**
 * Differences of honest servers stay far below these, for spans of up to four blocks. Measured on real servers:
 * docs/decisions/2026-11-29-spot-checks.md.
 */
const widest: Readonly<Record<Closeness, Difference>> = {
  exact: { typical: 3e-3, worst: 0.03, scale: 2e-3, offset: 3e-3 },
  rounded: { typical: 0.04, worst: 0.4, scale: 0.02, offset: 0.03 },
  different: { typical: 0.4, worst: 1.2, scale: 0.2, offset: 0.3 },
}

/** Each block rounds again, by chance up or down: the differences grow with the square root of the number of blocks. */
const blocksOfWidest = 4
const growing: readonly (keyof Difference)[] = ['typical', 'worst', 'offset']

/** Once honest servers have shown how far they are apart, so many times as much is tolerated, but no less than a share of the widest. */
const margin = 8
const narrowest: Difference = { typical: 1 / 4, worst: 1 / 4, scale: 1 / 8, offset: 1 / 8 }

/** Rounding cancels out in these: they show what is wrong long before the others, however servers round. */
const cancelling = ['scale', 'offset'] as const satisfies readonly (keyof Difference)[]

/** Of three servers, one is alone if the other two are nearer to each other by this factor. */
const contrast = 3

/** Checks that are needed before that counts, and that are remembered. */
const fewestSamples = 8
const mostSamples = 64

/** Kinds of servers that are remembered, at most: servers name them. */
const maxKinds = 256

/**
 * What a difference says. `doubtful`: nothing is known yet of servers of this kind, which both are of, and rounding seldom
 * explains it. A third one of the kind can tell whether one of the two is alone with it.
 */
export type Likeness = 'alike' | 'doubtful' | 'different'

/** Servers that computed the same `blocks` (their number), how they did, and how far they are apart. */
export interface Comparison {
  readonly servers: readonly Precision[]
  readonly blocks: number
  readonly difference: Difference
}

/** How far the outputs of honest servers may be apart, by the number types and quantizations of those that computed them. */
export class Tolerances {
  readonly #samples = new Map<string, Difference[]>()

  likenessOf({ servers, blocks, difference }: Comparison): Likeness {
    const most = widestFor(servers, blocks)
    const samples = this.#samplesOf(servers)
    const limits = samples && limitsBy(samples, most)
    if (aspects.some((aspect) => difference[aspect] > (limits ?? most)[aspect])) return 'different'
    const isDoubtful = cancelling.some((aspect) => difference[aspect] > doubtfulFrom(most, aspect))
    return isDoubtful && !limits && areOfOneKind(servers) ? 'doubtful' : 'alike'
  }

  /**
   * Reports whether a server is alone with what it computed: it is far from two others, in the same aspect, and they are much
   * nearer to each other. That says nothing of servers of several kinds: one of float32 may be alone among those of bfloat16,
   * whose weights are rounded all in the same way.
   */
  isAlone(fromOne: Comparison, fromOther: Comparison, others: Difference): boolean {
    if (!areOfOneKind([...fromOne.servers, ...fromOther.servers])) return false
    return cancelling.some((aspect) => {
      const least = Math.min(fromOne.difference[aspect], fromOther.difference[aspect])
      const isFar = [fromOne, fromOther].every(
        ({ servers, blocks, difference }) =>
          difference[aspect] > doubtfulFrom(widestFor(servers, blocks), aspect),
      )
      return isFar && others[aspect] * contrast <= least
    })
  }

  /** Takes note of how far servers were apart that compute the same. */
  learn(servers: readonly Precision[], difference: Difference): void {
    const kind = kindOf(servers)
    const samples = this.#samples.get(kind) ?? []
    samples.push(difference)
    if (samples.length > mostSamples) samples.shift()
    this.#samples.set(kind, samples)
    const [oldest] = this.#samples.keys()
    if (this.#samples.size > maxKinds && oldest !== undefined) this.#samples.delete(oldest)
  }

  /** Undefined while there are too few. */
  #samplesOf(servers: readonly Precision[]): readonly Difference[] | undefined {
    const samples = this.#samples.get(kindOf(servers))
    return samples && samples.length >= fewestSamples ? samples : undefined
  }
}

const doubtfulFrom = (most: Difference, aspect: keyof Difference): number => narrowest[aspect] * most[aspect]

function limitsBy(samples: readonly Difference[], most: Difference): Difference {
  const limit = (aspect: keyof Difference): number => {
    const seen = Math.max(...samples.map((sample) => sample[aspect]))
    return Math.min(most[aspect], Math.max(margin * seen, narrowest[aspect] * most[aspect]))
  }
  return {
    typical: limit('typical'),
    worst: limit('worst'),
    scale: limit('scale'),
    offset: limit('offset'),
  }
}

function widestFor(servers: readonly Precision[], blocks: number): Difference {
  const most = widest[closenessOf(servers)]
  const growth = Math.sqrt(Math.max(1, blocks / blocksOfWidest))
  const grown = growing.map((aspect) => [aspect, most[aspect] * growth] as const)
  return { ...most, ...(Object.fromEntries(grown) as Partial<Difference>) }
}

const kindOf = (servers: readonly Precision[]): string =>
  servers
    .map(({ kind }) => kind)
    .toSorted()
    .join(' ')

/** They compute in the same way, by what they announce, from the same weights. */
const areOfOneKind = (servers: readonly Precision[]): boolean =>
  servers.every(({ kind, isKnown, isMix }) => isKnown && !isMix && kind === servers[0]!.kind)

/** Servers with the same quantization have the same weights, but for mixes: then they differ only by rounding. */
function closenessOf(servers: readonly Precision[]): Closeness {
  const haveSameWeights = servers.every(({ weights, isMix }) => !isMix && weights === servers[0]!.weights)
  if (!haveSameWeights || servers.some(({ rounding }) => rounding === 'coarse')) return 'different'
  return servers.every(({ rounding }) => rounding === 'exact') ? 'exact' : 'rounded'
}
