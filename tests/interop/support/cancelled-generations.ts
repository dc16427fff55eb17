import { setTimeout as delay } from 'node:timers/promises'
import { greedy, type Model } from '@petals-chat/engine'
import { seededBits } from '../../../packages/petals/src/sampling/random.ts'
import type { CacheReader } from './cache-tokens.ts'

/** The goal is 2 s. The test machine may be busy. */
const maxReturnMs = 10_000
/** An answer is cancelled before it has so many tokens. */
const mostAnswer = 40

export interface CancelOptions {
  readonly generations: number
  readonly atOnce: number
  /** The most tokens of a prompt. */
  readonly mostPrompt?: number
}

export interface CancelledGenerations {
  /** Tokens that each generation had given when it was cancelled. */
  readonly taken: readonly number[]
  /** Free tokens of each server's cache: before, at the fewest (of any server), and at the end. */
  readonly start: readonly number[]
  readonly least: number
  readonly end: readonly number[]
  /** From the last cancellation until every cache was free again, milliseconds. */
  readonly returnMs: number
}

/** Starts an answer to a prompt of random length, and cancels it at a random moment: while sessions open, in prefill or later. */
async function cancelSomewhere(model: Model, mostPrompt: number, random: () => number): Promise<number> {
  const tokens = Array.from({ length: 1 + Math.floor(random() * mostPrompt) }, (_, i) => 100 + i)
  const abort = new AbortController()
  const isEarly = random() < 0.4
  const tokensBefore = isEarly ? Infinity : 1 + Math.floor(random() * 6)
  const timer = isEarly ? setTimeout(() => abort.abort(), random() * 60) : undefined
  await using session = await model.openSession({ maxLength: mostPrompt + mostAnswer })
  let taken = 0
  try {
    for await (const _ of session.generate(tokens, { sampling: greedy, signal: abort.signal })) {
      // During the next step.
      if (++taken === tokensBefore) setTimeout(() => abort.abort(), random() * 10)
      if (taken === mostAnswer) break
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
  }
  return taken
}

/** Cancels so many generations, `atOnce` at a time, while it watches the caches of the servers. */
export async function cancelGenerations(
  model: Model,
  cache: CacheReader,
  { generations, atOnce, mostPrompt = 200 }: CancelOptions,
): Promise<CancelledGenerations> {
  const bits = seededBits(4)
  const random = (): number => bits() / 2 ** 32
  const start = await cache.read()
  let begun = 0
  let least = Infinity
  const taken: number[] = []
  const worker = async (): Promise<void> => {
    while (begun++ < generations) taken.push(await cancelSomewhere(model, mostPrompt, random))
  }
  const watch = async (): Promise<void> => {
    while (taken.length < generations / 2) least = Math.min(least, ...(await cache.read()))
  }
  await Promise.all([watch(), ...Array.from({ length: atOnce }, worker)])
  const endedAt = performance.now()
  let end = await cache.read()
  while (end.join() !== start.join() && performance.now() - endedAt < maxReturnMs) {
    await delay(20)
    end = await cache.read()
  }
  return { taken, start, least, end, returnMs: performance.now() - endedAt }
}
