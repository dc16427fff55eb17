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
/** Each output needs memory for the logits of a whole vocabulary (0.5 MB for 128,000 tokens) and time to read them. */
const MAX_OUTPUTS_PER_WORK = 32

/** Plans a step: first one token for each decoding request, then prompts in equal shares of the rest. */
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

/** Divides the room equally; work that needs less leaves the rest to the others. */
function shareRoom<W extends Plannable>(works: readonly W[], room: number): Part<W>[] {
  const byNeed = [...works].sort((a, b) => need(a) - need(b))
  let left = room
  return byNeed.flatMap((work, index) => {
    const count = Math.min(need(work), Math.ceil(left / (byNeed.length - index)))
    left -= count
    return count > 0 ? [{ work, count }] : []
  })
}

const remaining = (work: Plannable): number => work.tokens.length - work.done

const need = (work: Plannable): number =>
  work.logits === 'all' ? Math.min(remaining(work), MAX_OUTPUTS_PER_WORK) : remaining(work)
