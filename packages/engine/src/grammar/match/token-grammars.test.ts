import { afterEach, describe, expect, it, vi } from 'vitest'
import type { TokenId } from '../../tokenizer.ts'
import { Automaton, type State } from './automaton.ts'
import { TokenGrammars } from './token-grammars.ts'

/** Token 0 ends; the others are all texts of one to three of these letters. */
const letters = [...'abcdefghijklmnopqrstuvwxyz']
const pairs = letters.flatMap((first) => letters.map((second) => first + second))
const words = [...letters, ...pairs, ...pairs.flatMap((pair) => letters.map((third) => pair + third)), '!']
const vocabulary = {
  size: words.length + 1,
  bytesOf: (token: TokenId) => (token === 0 ? undefined : Buffer.from(words[token - 1]!)),
}
const tokenizer = { encode: () => [], eosTokens: new Set([0]) }

/** What must follow after each text differs, so each text leads to a state of its own. */
const mirrored = (used: readonly string[]): string =>
  `root ::= ${used.map((letter, index) => `"${letter}" root "${index}"`).join(' | ')} | "!"`

afterEach(() => vi.restoreAllMocks())

describe('TokenGrammars', () => {
  it('stops within a pass over the vocabulary whose every text leads to a new state', () => {
    const step = vi.spyOn(Automaton.prototype, 'step')
    const matcher = new TokenGrammars({ tokenizer, vocabulary }).matcher({
      type: 'gbnf',
      source: mirrored(letters),
    })
    expect(() => matcher.allowed()).toThrow(/too much work/)
    expect(step.mock.calls.length).toBeLessThan(words.length / 3)
  })

  it('keeps no more than some thousands of states, however many an answer passes', () => {
    const step = vi.spyOn(Automaton.prototype, 'step')
    const used = letters.slice(0, 8)
    const matcher = new TokenGrammars({ tokenizer, vocabulary }).matcher({
      type: 'gbnf',
      source: mirrored(used),
    })
    const asked: State[] = []
    for (let count = 0; count < 12; count++) {
      const before = step.mock.calls.length
      expect(matcher.allowed()).toHaveLength(8 + 8 ** 2 + 8 ** 3 + 1)
      asked.push(step.mock.calls[before]![0])
      matcher.accept(1 + (count % used.length))
    }
    const passed = new Set(step.mock.results.map(({ value }) => value as State | null))
    expect(passed.size).toBeGreaterThan(5000)
    expect(reachable(asked)).toBeLessThan(4500)
  })

  it('bounds what is kept of all grammars together, and finds out again what an answer needs', () => {
    const step = vi.spyOn(Automaton.prototype, 'step')
    const grammars = new TokenGrammars({ tokenizer, vocabulary })
    const first = grammars.matcher({ type: 'gbnf', source: mirrored(['a', 'b']) })
    expect(first.allowed()).toHaveLength(2 + 2 ** 2 + 2 ** 3 + 1)
    for (let count = 0; count < 13; count++) {
      const source = mirrored(letters.slice(count, count + 12))
      expect(grammars.matcher({ type: 'gbnf', source }).allowed()).toHaveLength(12 + 12 ** 2 + 12 ** 3 + 1)
    }
    step.mockClear()
    expect(first.allowed()).toHaveLength(2 + 2 ** 2 + 2 ** 3 + 1)
    expect(step).toHaveBeenCalled()
    expect(grammars.keptBytes).toBeLessThan(48 * 2 ** 20)
  })

  it('takes an end token for the end alone, even if the tokenizer gives it a text', () => {
    const bytesOf = (token: TokenId) => Buffer.from(['</s>', '"', 'a', '</', 's', '>'][token]!)
    const grammars = new TokenGrammars({
      tokenizer: { encode: (text) => (text === '"</s>"' ? [1, 0, 1] : []), eosTokens: new Set([0]) },
      vocabulary: { size: 6, bytesOf },
    })
    const matcher = grammars.matcher({ type: 'gbnf', source: 'root ::= "\\"" [^"]* "\\""' })
    matcher.accept(1)
    expect([...matcher.allowed()]).toEqual([1, 2, 3, 4, 5])
    matcher.accept(1)
    expect([...matcher.allowed()]).toEqual([0])
    const only = grammars.matcher({ type: 'gbnf', source: 'root ::= "\\"</s>\\""' })
    expect(only.forced(10)).toEqual([])
    only.accept(1)
    expect([...only.allowed()]).toEqual([3])
  })
})

/** Counts the states that these states keep. */
function reachable(states: readonly State[]): number {
  const found = new Set(states)
  for (const { after } of found) for (const next of after) if (next) found.add(next)
  return found.size
}
