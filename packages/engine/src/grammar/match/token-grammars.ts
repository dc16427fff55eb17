import type { Grammar } from '../../engine.ts'
import type { TokenId } from '../../tokenizer.ts'
import { readGbnf } from '../gbnf/read-gbnf.ts'
import { grammarSource } from '../grammar-source.ts'
import { Automaton, type State } from './automaton.ts'
import { compileProgram } from './program.ts'
import { TokenMatcher, type MatchedModel } from './token-matcher.ts'
import { VocabularyTrie, type Vocabulary } from './vocabulary-trie.ts'

/** Grammars that are kept with what their answers have found out, and about the bytes that all of them may take. */
const MAX_GRAMMARS = 16
const MAX_KEPT_BYTES = 48 * 2 ** 20
/** Lists of tokens that are kept of each grammar; one takes up to 4 bytes for each token of the vocabulary. */
const MAX_LISTS = 32
/** About what a position of a program takes, and a node of its characters. */
const OP_BYTES = 50
const NODE_BYTES = 1100

/** Makes matchers for the answers of one model. */
export class TokenGrammars {
  readonly #model: Omit<MatchedModel, 'trie'>
  readonly #kept = new Map<string, KeptGrammar>()
  #trie: VocabularyTrie | undefined

  constructor({ tokenizer, vocabulary }: Omit<MatchedModel, 'trie'>) {
    this.#model = { tokenizer, vocabulary: withoutEnds(vocabulary, tokenizer.eosTokens) }
  }

  /** About what is kept of the grammars of past and present answers, in bytes. */
  get keptBytes(): number {
    return [...this.#kept.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Returns the matcher of a new answer. @throws InvalidRequestError that names the fault of the schema or grammar */
  matcher(grammar: Grammar): TokenMatcher {
    this.#trie ??= new VocabularyTrie(this.#model.vocabulary)
    const model = { ...this.#model, trie: this.#trie }
    const source = grammarSource(grammar)
    const kept = this.#kept.get(source) ?? new KeptGrammar(source, model)
    this.#use(kept, MAX_GRAMMARS)
    return new TokenMatcher(model, kept.automaton, (state) => {
      try {
        return kept.readable(state)
      } finally {
        this.#use(kept)
      }
    })
  }

  /** Drops those used least lately if there is too much. An answer of one goes on, and finds out again what it needs. */
  #use(used: KeptGrammar, most = Infinity): void {
    if ((this.#kept.get(used.source) ?? used) === used) {
      this.#kept.delete(used.source)
      this.#kept.set(used.source, used)
    }
    for (const kept of this.#kept.values()) {
      if (this.#kept.size <= most && this.keptBytes <= MAX_KEPT_BYTES) return
      if (kept === used) continue
      kept.forget()
      this.#kept.delete(kept.source)
    }
  }
}

/** What the answers with one grammar share. */
class KeptGrammar {
  readonly source: string
  readonly automaton: Automaton
  readonly #model: MatchedModel
  readonly #programBytes: number
  readonly #lists = new Map<State, Int32Array>()
  #listBytes = 0

  constructor(source: string, model: MatchedModel) {
    const program = compileProgram(readGbnf(source))
    this.source = source
    this.automaton = new Automaton(program)
    this.#model = model
    this.#programBytes = OP_BYTES * program.ops.length + NODE_BYTES * program.classes.nodes
  }

  get bytes(): number {
    return this.#programBytes + this.#listBytes + this.automaton.sharedBytes
  }

  /** Returns the tokens that may follow in a state. */
  readable(state: State): Int32Array {
    const { trie, tokenizer } = this.#model
    const list = this.#lists.get(state) ?? trie.readable(this.automaton, state, tokenizer.eosTokens)
    this.#drop(state)
    this.#lists.set(state, list)
    this.#listBytes += list.byteLength
    if (this.#lists.size > MAX_LISTS) this.#drop(this.#lists.keys().next().value!)
    return list
  }

  forget(): void {
    this.automaton.forget()
    this.#lists.clear()
    this.#listBytes = 0
  }

  #drop(state: State): void {
    this.#listBytes -= this.#lists.get(state)?.byteLength ?? 0
    this.#lists.delete(state)
  }
}

/** Some tokenizers don't mark their end tokens as special. Inside a text they would end it, so they are no text here. */
const withoutEnds = (vocabulary: Vocabulary, ends: ReadonlySet<TokenId>): Vocabulary => ({
  size: vocabulary.size,
  bytesOf: (token) => (ends.has(token) ? undefined : vocabulary.bytesOf(token)),
})
