/** The properties of a piece of work that the plan depends on. */
export interface Plannable {
  readonly tokens: readonly unknown[]
  readonly done: number
  readonly logits: 'none' | 'last' | 'all'
}

/** How many tokens of a piece of work are part of the next step. */
export interface Part<W extends Plannable> {
  readonly work: W
  readonly count: number
}

export interface BatchLimits {
  readonly batchSize: number
  /** The speed of prompts; undefined if it has not been measured yet. */
  readonly prefillTokensPerMs: number | undefined
}

/** How long a step with prompts only may take: an abort takes effect at its end. */
const PREFILL_STEP_MS = 400
/** How long a step may take in which other requests wait for their next token: a stream that pauses longer looks stuck. */
const SHARED_STEP_MS = 150
/** Smaller parts of a prompt take a quarter more time per token (measured on AVX-512 with SmolLM2). */
const EFFICIENT_TOKENS = 64
/** How long an efficient step may take if no other request waits. */
const LONGEST_STEP_MS = 1000
const LEAST_TOKENS = 16
/** The part of a step's prompts that is for the one that came first. */
const OLDEST_SHARE = 0.25
/** Each output needs memory for the logits of a whole vocabulary (0.5 MB for 128,000 tokens) and time to read them. */
const MAX_OUTPUTS_PER_WORK = 32

/**
 * Plans a step: first one token for each decoding request, then the prompts that end first. In equal shares, all of them would
 * end late.
 * @param works in the order in which they came
 */
export function planBatch<W extends Plannable>(works: readonly W[], limits: BatchLimits): Part<W>[] {
  const decoding = works.filter((work) => remaining(work) === 1).slice(0, limits.batchSize)
  const prefilling = works.filter((work) => remaining(work) > 1)
  const room = Math.min(limits.batchSize - decoding.length, prefillTokens(limits, decoding.length > 0))
  return [...decoding.map((work) => ({ work, count: 1 })), ...shareRoom(prefilling, room)]
}

function prefillTokens({ prefillTokensPerMs: speed }: BatchLimits, isShared: boolean): number {
  if (speed === undefined) return EFFICIENT_TOKENS
  const count = Math.floor(speed * (isShared ? SHARED_STEP_MS : PREFILL_STEP_MS))
  const prefersEfficient = !isShared && speed * LONGEST_STEP_MS >= EFFICIENT_TOKENS
  return Math.max(count, prefersEfficient ? EFFICIENT_TOKENS : LEAST_TOKENS)
}

/** The shortest prompts first. A part is for the one that has waited longest, or it would never end while shorter ones come. */
function shareRoom<W extends Plannable>(works: readonly W[], room: number): Part<W>[] {
  const [oldest] = works
  if (oldest === undefined) return []
  const kept = Math.min(need(oldest), Math.ceil(room * OLDEST_SHARE))
  let left = room - kept
  const parts = works
    .toSorted((a, b) => need(a) - need(b))
    .map((work) => {
      const own = work === oldest ? kept : 0
      const more = Math.min(need(work) - own, left)
      left -= more
      return { work, count: own + more }
    })
  return parts.filter(({ count }) => count > 0)
}

const remaining = (work: Plannable): number => work.tokens.length - work.done

const need = (work: Plannable): number =>
  work.logits === 'all' ? Math.min(remaining(work), MAX_OUTPUTS_PER_WORK) : remaining(work)
