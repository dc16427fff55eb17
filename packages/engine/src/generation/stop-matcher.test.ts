import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cpuMs } from '../testing/cpu-time.ts'
import { StopMatcher } from './stop-matcher.ts'

/** Returns what the matcher must find, by checking every prefix of the whole text. */
function naive(
  text: string,
  stops: readonly string[],
): { readonly text: string; readonly stop: string | undefined } {
  for (let end = 1; end <= text.length; end++) {
    const met = stops
      .filter((stop) => text.slice(0, end).endsWith(stop))
      .sort((a, b) => b.length - a.length)[0]
    if (met !== undefined) return { text: text.slice(0, end - met.length), stop: met }
  }
  return { text, stop: undefined }
}

function inPieces(pieces: readonly string[], stops: readonly string[]) {
  const matcher = new StopMatcher(stops)
  let text = ''
  for (const piece of pieces) {
    const match = matcher.push(piece)
    text += match.text
    if (match.stop !== undefined) return { text, stop: match.stop }
  }
  return { text: text + matcher.flush(), stop: undefined }
}

/** Few letters, so that borders and overlaps are frequent. */
const letters = fc.string({ unit: fc.constantFrom('a', 'b', '#', '🌍'), maxLength: 24 })
const stops = fc.array(
  fc.string({ unit: fc.constantFrom('a', 'b', '#', '🌍'), minLength: 1, maxLength: 5 }),
  { maxLength: 4 },
)

describe('StopMatcher', () => {
  it('finds what a naive search finds, at every cut in two', () => {
    fc.assert(
      fc.property(letters, stops, (text, sequences) => {
        const expected = naive(text, sequences)
        for (let cut = 0; cut <= text.length; cut++) {
          expect(inPieces([text.slice(0, cut), text.slice(cut)], sequences)).toEqual(expected)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('finds the same unit by unit, and holds back no more than needed', () => {
    fc.assert(
      fc.property(letters, stops, (text, sequences) => {
        expect(inPieces(text.split(''), sequences)).toEqual(naive(text, sequences))

        const matcher = new StopMatcher(sequences)
        let given = 0
        for (let end = 1; end <= text.length; end++) {
          const { text: certain, stop } = matcher.push(text[end - 1]!)
          if (stop !== undefined) return
          given += certain.length
          const held = text.slice(given, end)
          expect(held === '' || sequences.some((sequence) => sequence.startsWith(held))).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('releases text that only looked like a stop sequence', () => {
    const matcher = new StopMatcher(['###'])
    expect(matcher.push('a##')).toEqual({ text: 'a', stop: undefined })
    expect(matcher.push('b')).toEqual({ text: '##b', stop: undefined })
    expect(matcher.push('#')).toEqual({ text: '', stop: undefined })
    expect(matcher.flush()).toBe('#')
    expect(matcher.push('##')).toEqual({ text: '', stop: undefined })
  })

  it('stays fast with a long, self-similar sequence', () => {
    const matcher = new StopMatcher([`${'a'.repeat(50_000)}b`])
    const started = cpuMs()
    for (let count = 0; count < 2000; count++) matcher.push('a'.repeat(50))
    expect(matcher.push('b').stop).toBeDefined()
    expect(cpuMs() - started).toBeLessThan(10_000)
  })
})
