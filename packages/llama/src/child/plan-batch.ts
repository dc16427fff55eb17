/** What the plan needs to know of a piece of work. */
export interface Plannable {
  readonly tokens: readonly unknown[]
  readonly done: number
  readonly logits: 'none' | 'last' | 'all'
}

/** So many tokens of a piece of work go into the next step. */
export interface Part<W extends Plannable> {
  readonly work: W
  readonly count: number
}

export interface BatchLimits {
  readonly batchSize: number
  /** How fast prompts are read; undefined if that is not known yet. */
  readonly prefillTokensPerMs: number | undefined
}

/** How long a step may take that reads only prompts: an abort is heard at its end. */
const PREFILL_STEP_MS = 400
/** And one in which others wait for their next token: a stream that pauses longer looks stuck. */
const SHARED_STEP_MS = 150
/** Smaller parts of a prompt cost a quarter more time per token (measured on AVX-512, SmolLM2). */
const EFFICIENT_TOKENS = 64
/** So long a step may take for the sake of efficiency, where nobody waits. */
const LONGEST_STEP_MS = 1000
const LEAST_TOKENS = 16
/** Each output takes memory for the logits of a whole vocabulary (0.5 MB at 128,000 tokens) and time to read them. */
const MAX_OUTPUTS_PER_WORK = 32

/** Next tokens first, one each; then prompts, in equal shares of what a step may take. */
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

/** Who needs less than the equal share leaves the rest to the others. */
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
