import type { TokenId } from '../../tokenizer.ts'
import type { Automaton, State } from './automaton.ts'

/** The bytes that each token of a model stands for. */
export interface Vocabulary {
  /** Tokens have ids from 0 to below this. */
  readonly size: number
  /** Returns undefined, or no bytes, for a token that is no text (control tokens). */
  bytesOf(token: TokenId): Uint8Array | undefined
}

interface Entry {
  readonly token: TokenId
  readonly bytes: Uint8Array
  /** The bytes as Latin-1 characters, which are compared faster. */
  readonly key: string
}

/** A vocabulary ordered by bytes, so that tokens with the same beginning are tested together. */
export class VocabularyTrie {
  readonly size: number
  /** Nodes in preorder: the byte that leads to each, its depth, the node after its last descendant. */
  readonly #bytes: Uint8Array
  readonly #depths: Uint16Array
  readonly #ends: Int32Array
  /** The tokens of node n are `tokens[firsts[n]]` up to `tokens[firsts[n + 1] - 1]`. */
  readonly #firsts: Int32Array
  readonly #tokens: Int32Array

  constructor(vocabulary: Vocabulary) {
    this.size = vocabulary.size
    const entries = sortedEntries(vocabulary)
    const nodes = entries.reduce(
      (sum, { bytes }, index) => sum + bytes.length - commonLength(entries[index - 1]?.bytes, bytes),
      0,
    )
    this.#bytes = new Uint8Array(nodes)
    this.#depths = new Uint16Array(nodes)
    this.#ends = new Int32Array(nodes)
    this.#firsts = new Int32Array(nodes + 1)
    this.#tokens = Int32Array.from(entries, ({ token }) => token)
    this.#fill(entries)
  }

  /** The beginnings of tokens: the steps that one pass over the vocabulary takes. */
  get nodes(): number {
    return this.#bytes.length
  }

  /**
   * Returns the tokens that an automaton can read from a state, in ascending order, with `ends` where the text may end. This is
   * the longest work of a step, so it keeps to local variables.
   */
  readable(automaton: Automaton, start: State, ends: Iterable<TokenId>): Int32Array {
    const [bytes, depths, firsts, tokens] = [this.#bytes, this.#depths, this.#firsts, this.#tokens]
    const isReadable = new Uint8Array(this.size)
    if (start.accepts) for (const token of ends) isReadable[token] = 1
    const path: State[] = [start]
    let passed = 0
    for (let node = 0; node < bytes.length; passed++) {
      const depth = depths[node]!
      const byte = bytes[node]!
      const from = path[depth]!
      const known = from.after[byte]
      const state = known === undefined ? automaton.step(from, byte) : known
      if (state === null) {
        node = this.#ends[node]!
        continue
      }
      path[depth + 1] = state
      const end = firsts[node + 1]!
      for (let index = firsts[node]!; index < end; index++) isReadable[tokens[index]!] = 1
      node++
    }
    automaton.count(passed)
    return indexesOf(isReadable)
  }

  #fill(entries: readonly Entry[]): void {
    const path: number[] = []
    let node = 0
    let before: Uint8Array | undefined
    for (const [index, { bytes }] of entries.entries()) {
      const common = commonLength(before, bytes)
      for (const done of path.splice(common)) this.#ends[done] = node
      for (let depth = common; depth < bytes.length; depth++) {
        path.push(node)
        this.#bytes[node] = bytes[depth]!
        this.#depths[node] = depth
        this.#firsts[node] = index
        node++
      }
      this.#firsts[node] = index + 1
      before = bytes
    }
    for (const done of path) this.#ends[done] = node
  }
}

/** Tokens of more bytes are left out: depths are stored in 16 bits, and real tokens have some dozens. */
const MAX_BYTES = 2000

function sortedEntries(vocabulary: Vocabulary): readonly Entry[] {
  const entries: Entry[] = []
  for (let token = 0; token < vocabulary.size; token++) {
    const bytes = vocabulary.bytesOf(token)
    if (!bytes || bytes.length === 0 || bytes.length > MAX_BYTES) continue
    entries.push({ token, bytes, key: Buffer.from(bytes).toString('latin1') })
  }
  return entries.sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
}

function commonLength(before: Uint8Array | undefined, bytes: Uint8Array): number {
  let length = 0
  while (before && length < before.length && before[length] === bytes[length]) length++
  return length
}

function indexesOf(flags: Uint8Array): Int32Array {
  let count = 0
  for (let index = 0; index < flags.length; index++) count += flags[index]!
  const indexes = new Int32Array(count)
  let place = 0
  for (let index = 0; index < flags.length; index++) if (flags[index] === 1) indexes[place++] = index
  return indexes
}
