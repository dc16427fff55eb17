import type { BlockRange } from '../blocks/block-range.ts'
import { numbersOf } from '../blocks/numbers.ts'
import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** Tokens per second through one block, for a server that does not announce it (`petals/client/routing/sequence_manager.py`). */
const defaultInferenceRps = 300

/** Lists of numbers, one list after the other: those of `i` are `values[offsets[i] … offsets[i + 1])`. */
export interface Lists {
  readonly offsets: Int32Array
  readonly values: Int32Array
}

/**
 * The spans of a model, prepared for many searches: made once for each answer of the DHT, in time and memory that grow with
 * the number of servers. A slot is the index of a span in `spans`.
 */
export class SpanIndex {
  readonly spans: readonly Span[]
  readonly numBlocks: number
  readonly starts: Int32Array
  readonly ends: Int32Array
  readonly #lastSlots = new Map<PeerId, number>()
  /** By slot: the slot before it of the same peer, or -1. */
  readonly #twins: Int32Array
  /** By block: slots of the spans that hold it. */
  readonly holders: Lists
  /** By block: slots of the spans that end before it. */
  readonly endingAt: Lists
  /** By slot: slots of the servers to which its server has measured the round trip, and those round trips in seconds. */
  readonly pinged: Lists
  readonly pings: Float64Array
  /** By slot: tokens of a session for which the server has room in its KV cache, as it announces. NaN if it does not. */
  readonly freeTokens: Float64Array
  /** By slot: tokens of other sessions in the KV cache of each block, by what the server announces as free. */
  readonly occupiedTokens: Float64Array
  /** By slot: what the server says it takes for one token and one block. */
  readonly claimedSecondsPerBlock: Float64Array
  /** By slot: a number for each number type and quantization. */
  readonly numbers: Int32Array
  /** Arrays that a search fills: new ones for every search would keep the garbage collector busy. */
  readonly scratch: Scratch

  constructor(spans: readonly Span[], numBlocks: number) {
    this.spans = spans
    this.numBlocks = numBlocks
    this.starts = Int32Array.from(spans, ({ start }) => Math.max(start, 0))
    this.ends = Int32Array.from(spans, ({ end }) => Math.min(end, numBlocks))
    this.#twins = Int32Array.from(spans, ({ peer }, slot) => {
      const twin = this.#lastSlots.get(peer) ?? -1
      this.#lastSlots.set(peer, slot)
      return twin
    })
    this.holders = listsOf(numBlocks, spans.length, (slot, add) => {
      for (let block = this.starts[slot]!; block < this.ends[slot]!; block++) add(block)
    })
    this.endingAt = listsOf(numBlocks + 1, spans.length, (slot, add) => add(this.ends[slot]!))
    const { lists, seconds } = pingsOf(this)
    this.pinged = lists
    this.pings = seconds
    this.freeTokens = Float64Array.from(spans, freeTokens)
    this.occupiedTokens = occupiedTokens(this.freeTokens)
    this.numbers = numberedKinds(spans)
    this.scratch = scratchOf(spans.length)
    this.claimedSecondsPerBlock = Float64Array.from(
      spans,
      ({ server }) => 1 / (server.inferenceRps ?? defaultInferenceRps),
    )
  }

  /** Calls `visit` with every slot of the peer. */
  forSlotsOf(peer: PeerId, visit: (slot: number) => void): void {
    for (let slot = this.#lastSlots.get(peer) ?? -1; slot >= 0; slot = this.#twins[slot]!) visit(slot)
  }

  /** Returns the blocks of the range that no span holds but those of `without`. */
  missing({ start, end }: BlockRange, without: ReadonlySet<number> = new Set()): readonly number[] {
    const { offsets } = this.holders
    const left = Int32Array.from({ length: this.numBlocks }, (_, b) => offsets[b + 1]! - offsets[b]!)
    for (const slot of without)
      for (let block = this.starts[slot]!; block < this.ends[slot]!; block++) left[block]!--
    return Array.from({ length: end - start }, (_, i) => start + i).filter((block) => !left[block])
  }

  /** Bytes of its arrays: without the spans themselves and the map of peers. */
  get bytes(): number {
    const {
      starts,
      ends,
      pings,
      freeTokens: free,
      occupiedTokens: occupied,
      claimedSecondsPerBlock,
      numbers,
    } = this
    const lists = [this.holders, this.endingAt, this.pinged].flatMap(arraysOf)
    const scratch: readonly (Float64Array | Int32Array)[] = Object.values(this.scratch)
    const all = [
      starts,
      ends,
      pings,
      free,
      occupied,
      claimedSecondsPerBlock,
      numbers,
      this.#twins,
      ...lists,
      ...scratch,
    ]
    return all.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }
}

const arraysOf = ({ offsets, values }: Lists): readonly Int32Array[] => [offsets, values]

/** Makes `count` lists of slots. `visit` adds a slot to each list that it names, the same ones every time. */
function listsOf(
  count: number,
  slots: number,
  visit: (slot: number, add: (list: number) => void) => void,
): Lists {
  const offsets = new Int32Array(count + 1)
  for (let slot = 0; slot < slots; slot++) visit(slot, (list) => offsets[list + 1]!++)
  for (let list = 0; list < count; list++) offsets[list + 1]! += offsets[list]!
  const at = offsets.slice()
  const values = new Int32Array(offsets[count]!)
  for (let slot = 0; slot < slots; slot++) visit(slot, (list) => (values[at[list]!++] = slot))
  return { offsets, values }
}

function pingsOf(index: SpanIndex): { readonly lists: Lists; readonly seconds: Float64Array } {
  const { spans } = index
  const offsets = new Int32Array(spans.length + 1)
  const [values, seconds]: [number[], number[]] = [[], []]
  spans.forEach(({ server }, slot) => {
    for (const [peer, rtt] of server.nextPings ?? []) {
      index.forSlotsOf(peer, (other) => {
        values.push(other)
        seconds.push(rtt)
      })
    }
    offsets[slot + 1] = values.length
  })
  return { lists: { offsets, values: Int32Array.from(values) }, seconds: Float64Array.from(seconds) }
}

/** Most servers keep Petals' default size of the cache, so the emptiest ones show it: this share has less free. */
const emptiest = 0.9

/**
 * So many servers show how large caches usually are. The caches of a few machines are as unequal as they are, and what is taken
 * of them belongs mostly to this client, whose chats are measured.
 */
const fewestCompared = 6

/** Servers announce how much of the cache is free, but not how large it is. */
function occupiedTokens(free: Float64Array): Float64Array {
  const known = free.filter((tokens) => !Number.isNaN(tokens)).sort()
  if (known.length < fewestCompared) return new Float64Array(free.length)
  const size = known[Math.floor(known.length * emptiest)] ?? 0
  return free.map((tokens) => (Number.isNaN(tokens) ? 0 : Math.max(0, size - tokens)))
}

const freeTokens = (span: Span): number => (span.server.cacheTokensLeft ?? NaN) / vectorsPerToken(span)

/**
 * Returns the vectors of KV cache that a token of a session takes on the server: servers count keys and values separately, and
 * a session may need all their blocks.
 */
export const vectorsPerToken = ({ start, end, server: { blocks } }: Span): number =>
  2 * (blocks ? blocks.end - blocks.start : end - start)

function numberedKinds(spans: readonly Span[]): Int32Array {
  const known = new Map<string, number>()
  return Int32Array.from(spans, ({ server }) => {
    const kind = numbersOf(server)
    if (!known.has(kind)) known.set(kind, known.size)
    return known.get(kind)!
  })
}

/** What a search knows of each slot. */
interface Scratch {
  readonly toClient: Float64Array
  readonly entry: Float64Array
  readonly costs: Float64Array
  readonly enteredAt: Int32Array
  readonly before: Int32Array
}

const scratchOf = (count: number): Scratch => ({
  toClient: new Float64Array(count),
  entry: new Float64Array(count),
  costs: new Float64Array(count),
  enteredAt: new Int32Array(count),
  before: new Int32Array(count),
})
