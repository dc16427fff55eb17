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
  /** The prompt that came first is read before shorter ones. True once in a while, or it would never end while shorter ones come. */
  readonly isTurnOfFirst: boolean
}

/** How long the prompts of a step may take, if those that other requests wait for end in it: an abort takes effect at its end. */
const PREFILL_STEP_MS = 400
/**
 * How long a part of a prompt may take while other requests wait for their next token: a stream that pauses longer looks stuck.
 * Where more requests wait for their first token than for their next one, it is longer.
 */
const SHARED_STEP_MS = 150
/** Smaller parts of a prompt take a quarter more time per token (measured on AVX-512 with SmolLM2). */
const EFFICIENT_TOKENS = 64
/** How long an efficient step may take if no other request waits. */
const LONGEST_STEP_MS = 1000
const LEAST_TOKENS = 16
/** Prompts that differ by less than this factor are read in the order in which they came. */
const SIMILAR_LENGTH = 1.25
/** By how much a step may be too long to end a prompt: the rest of it would cost a pass over the weights of its own. */
const STRETCH = 1.25
/** Each output needs memory for the logits of a whole vocabulary (0.5 MB for 128,000 tokens) and time to read them. */
const MAX_OUTPUTS_PER_WORK = 32

/** The most tokens of prompts in a step. */
interface Room {
  /** If they end prompts. */
  readonly whole: number
  /** If they are a part of one. */
  readonly part: number
  /** In any case. */
  readonly most: number
}

/**
 * Plans a step: first one token for each decoding request, then the prompts that end first. In equal shares, all of them would
 * end late.
 *
 * llama.cpp computes the sequences of a step together as far as they have equally many tokens and follow each other by number;
 * for each further group it goes through the weights again. So a step that ends prompts costs less than several with parts of
 * them, and gives others their first token; and prompts of about the same length are read in the order in which they came, which
 * is mostly that of their numbers.
 * @param works in the order in which they came
 */
export function planBatch<W extends Plannable>(works: readonly W[], limits: BatchLimits): Part<W>[] {
  const decoding = works.filter((work) => remaining(work) === 1).slice(0, limits.batchSize)
  const prefilling = works.filter((work) => remaining(work) > 1)
  const order = shortestFirst(prefilling)
  const [first] = prefilling
  if (limits.isTurnOfFirst) order.sort((a, b) => Number(b === first) - Number(a === first))
  const room = roomForPrompts(limits, decoding.length, prefilling.length)
  return [...decoding.map((work) => ({ work, count: 1 })), ...fill(order, room)]
}

function roomForPrompts(limits: BatchLimits, decoding: number, prefilling: number): Room {
  const { batchSize, prefillTokensPerMs: speed, isTurnOfFirst } = limits
  const most = batchSize - decoding
  const room = (whole: number, part: number): Room => ({
    whole: Math.min(whole, most),
    part: Math.min(part, most),
    most,
  })
  if (speed === undefined) return room(EFFICIENT_TOKENS, EFFICIENT_TOKENS)
  const prefersEfficient = decoding === 0 && speed * LONGEST_STEP_MS >= EFFICIENT_TOKENS
  const least = prefersEfficient ? EFFICIENT_TOKENS : LEAST_TOKENS
  const tokensIn = (ms: number) => Math.max(Math.floor(speed * Math.min(ms, PREFILL_STEP_MS)), least)
  const whole = tokensIn(PREFILL_STEP_MS)
  // The turn of the first one takes as long as a step that ends others, or it would get less than its share.
  if (decoding === 0 || (isTurnOfFirst && prefilling > 1)) return room(whole, whole)
  return room(whole, tokensIn(SHARED_STEP_MS * Math.max(1, prefilling / decoding)))
}

/** Prompts of about the same length stay in their order. */
function shortestFirst<W extends Plannable>(works: readonly W[]): W[] {
  const ranks = new Map<W, number>()
  let rank = 0
  for (const work of works.toSorted((a, b) => need(a) - need(b))) {
    if (need(work) > rank * SIMILAR_LENGTH) rank = need(work)
    ranks.set(work, rank)
  }
  return works.toSorted((a, b) => ranks.get(a)! - ranks.get(b)!)
}

/** Prompts that end, and then a part of one if there is room for an efficient one or nothing else. */
function fill<W extends Plannable>(order: readonly W[], { whole, part, most }: Room): Part<W>[] {
  const parts: Part<W>[] = []
  let used = 0
  for (const work of order) {
    const longest = used === 0 ? Math.min(whole * STRETCH, most) : whole
    const ends = used + need(work) <= longest
    const count = ends ? need(work) : part - used
    if (!ends && used > 0 && count < EFFICIENT_TOKENS) break
    if (count > 0) parts.push({ work, count })
    if (!ends) break
    used += count
  }
  return parts
}

const remaining = (work: Plannable): number => work.tokens.length - work.done

const need = (work: Plannable): number =>
  work.logits === 'all' ? Math.min(remaining(work), MAX_OUTPUTS_PER_WORK) : remaining(work)
