import type { PackedMerges, PackedPieces, PackedVocabulary } from './packed-vocabulary.ts'

/** The ids of pieces, and of added tokens, which the library sets and which come first. */
class PieceIds extends Map<string, number> {
  readonly #pieces: PackedPieces

  constructor(pieces: PackedPieces, added: ReadonlyMap<string, number>) {
    super(added)
    this.#pieces = pieces
  }

  override get(piece: string): number | undefined {
    return super.get(piece) ?? this.#idOf(piece)
  }

  override has(piece: string): boolean {
    return super.has(piece) || this.#pieces.find(piece) >= 0
  }

  #idOf(piece: string): number | undefined {
    const index = this.#pieces.find(piece)
    return index < 0 ? undefined : this.#pieces.idAt(index)
  }
}

/** What is used here of the library's BPE, whose types it does not export. */
export interface BpeModel {
  tokens_to_ids: Map<string, number>
  unk_token_id: number | undefined
  readonly unk_token: string | null | undefined
  readonly max_length_to_cache: number
  readonly cache: {
    get(word: string): string[] | undefined
    put(word: string, parts: string[]): void
  }
  bpe(word: string): string[]
}

/** Gives a vocabulary to a model of the library that was made without one. It then does the same as one made with it. */
export function usePackedVocabulary(model: BpeModel, vocabulary: PackedVocabulary): void {
  const { pieces } = vocabulary
  // The library looks for the unknown token before it knows the added tokens.
  const unknown = model.unk_token == null ? -1 : pieces.find(model.unk_token)
  model.unk_token_id = unknown < 0 ? undefined : pieces.idAt(unknown)
  model.tokens_to_ids = new PieceIds(pieces, model.tokens_to_ids)
  model.bpe = (word) => {
    const kept = model.cache.get(word)
    if (kept) return kept
    const parts = new MergedWord(word, vocabulary).parts()
    if (word.length < model.max_length_to_cache) model.cache.put(word, parts)
    return parts
  }
}

/** Ranks come before positions in the order of merges. Both fit into the 53 bits of a number. */
const positions = 2 ** 31

/** A word while its pieces are merged. They are a linked list, by their positions among the word's characters. */
class MergedWord {
  readonly #word: string
  readonly #merges: PackedMerges
  /** Where each character begins; -1 once it was merged into another. */
  readonly #starts: number[] = []
  /** The piece that begins with each character. */
  readonly #pieces: number[] = []
  readonly #next: number[] = []
  readonly #previous: number[] = []
  /** Merges that may be possible, `rank * positions + position`: a heap, with the least one at its top. */
  readonly #heap: number[] = []

  constructor(word: string, { pieces, merges }: PackedVocabulary) {
    this.#word = word
    this.#merges = merges
    let start = 0
    for (const character of word) {
      const position = this.#starts.length
      this.#starts.push(start)
      this.#pieces.push(pieces.find(character))
      this.#previous.push(position - 1)
      this.#next.push(position + 1)
      start += character.length
    }
  }

  /** Merges all that can be merged: that of the least rank first, of equal ranks the leftmost. */
  parts(): string[] {
    for (let position = 0; position + 1 < this.#starts.length; position++) this.#offer(position)
    while (this.#heap.length > 0) {
      const least = popLeast(this.#heap)
      const position = least % positions
      const rank = (least - position) / positions
      // Another merge may have taken one of the two pieces meanwhile.
      if (this.#rankAt(position) === rank) this.#merge(position, rank)
    }
    return Array.from(this.#starts.keys())
      .filter((position) => this.#starts[position]! >= 0)
      .map((position) => this.#word.slice(this.#starts[position], this.#starts[this.#next[position]!]))
  }

  /** The rank of the merge of the piece at this position with the next one. */
  #rankAt(position: number): number {
    const next = this.#next[position]!
    if (this.#starts[position]! < 0 || next >= this.#starts.length) return -1
    return this.#merges.rankOf(this.#pieces[position]!, this.#pieces[next]!)
  }

  #merge(position: number, rank: number): void {
    const taken = this.#next[position]!
    const after = this.#next[taken]!
    this.#pieces[position] = this.#merges.resultOf(rank)
    this.#starts[taken] = -1
    this.#next[position] = after
    if (after < this.#starts.length) this.#previous[after] = position
    if (this.#previous[position]! >= 0) this.#offer(this.#previous[position]!)
    this.#offer(position)
  }

  #offer(position: number): void {
    const rank = this.#rankAt(position)
    if (rank >= 0) push(this.#heap, rank * positions + position)
  }
}

function push(heap: number[], value: number): void {
  let at = heap.push(value) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (heap[parent]! <= value) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = value
}

function popLeast(heap: number[]): number {
  const least = heap[0]!
  const last = heap.pop()!
  const { length } = heap
  if (length === 0) return least
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= length) break
    if (child + 1 < length && heap[child + 1]! < heap[child]!) child++
    if (heap[child]! >= last) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return least
}
