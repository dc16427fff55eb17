import type { Grammar } from '../../engine.ts'
import type { TokenId } from '../../tokenizer.ts'
import { readGbnf } from '../gbnf/read-gbnf.ts'
import { grammarSource } from '../grammar-source.ts'
import { Automaton, type State } from './automaton.ts'
import { compileProgram } from './program.ts'
import { TokenMatcher, type MatchedModel } from './token-matcher.ts'
import { VocabularyTrie } from './vocabulary-trie.ts'

/** Grammars that are kept with what their answers have found out. */
const MAX_GRAMMARS = 16
/** Lists of tokens that are kept of each grammar; one takes up to 4 bytes for each token of the vocabulary. */
const MAX_LISTS = 32

/** Makes matchers for the answers of one model. */
export class TokenGrammars {
  readonly #model: Omit<MatchedModel, 'trie'>
  readonly #kept = new Map<string, KeptGrammar>()
  #trie: VocabularyTrie | undefined

  constructor(model: Omit<MatchedModel, 'trie'>) {
    this.#model = model
  }

  /** Returns the matcher of a new answer. @throws InvalidRequestError that names the fault of the schema or grammar */
  matcher(grammar: Grammar): TokenMatcher {
    this.#trie ??= new VocabularyTrie(this.#model.vocabulary)
    const { automaton, readable } = this.#grammar(grammarSource(grammar), this.#trie)
    return new TokenMatcher({ ...this.#model, trie: this.#trie }, automaton, readable)
  }

  #grammar(source: string, trie: VocabularyTrie): KeptGrammar {
    const kept = this.#kept.get(source) ?? keptGrammar(source, trie, this.#model.tokenizer.eosTokens)
    // The one used last is the last to be dropped.
    this.#kept.delete(source)
    this.#kept.set(source, kept)
    if (this.#kept.size > MAX_GRAMMARS) this.#kept.delete(this.#kept.keys().next().value!)
    return kept
  }
}

interface KeptGrammar {
  readonly automaton: Automaton
  readonly readable: (state: State) => Int32Array
}

function keptGrammar(source: string, trie: VocabularyTrie, ends: ReadonlySet<TokenId>): KeptGrammar {
  const automaton = new Automaton(compileProgram(readGbnf(source)))
  const lists = new Map<State, Int32Array>()
  return {
    automaton,
    readable(state) {
      const list = lists.get(state) ?? trie.readable(automaton, state, ends)
      lists.delete(state)
      lists.set(state, list)
      if (lists.size > MAX_LISTS) lists.delete(lists.keys().next().value!)
      return list
    },
  }
}
