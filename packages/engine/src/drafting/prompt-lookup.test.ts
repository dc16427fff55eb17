import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { longestMatch, PromptLookup } from './prompt-lookup.ts'

const lookupAfter = (text: readonly number[], given = 0): PromptLookup => {
  const lookup = new PromptLookup(text.slice(0, given))
  for (const token of text.slice(given)) lookup.push(token)
  return lookup
}

/** Tries all earlier places, the newest first. */
function longestByTrial(text: readonly number[]): {
  readonly length: number
  readonly next: number | undefined
} {
  let best: { readonly length: number; readonly next: number | undefined } = { length: 0, next: undefined }
  for (let place = text.length - 2; place >= 0; place--) {
    let length = 0
    while (length <= place && length < longestMatch && text[place - length] === text.at(-1 - length)) length++
    if (length >= 2 && length > best.length) best = { length, next: text[place + 1] }
  }
  return best
}

describe('PromptLookup', () => {
  it('guesses what followed the longest run of the last tokens, the newest one of equals', () => {
    const text = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 16 })
    fc.assert(
      fc.property(text, fc.nat(16), (tokens, given) => {
        const { matched, guess } = lookupAfter(tokens, given)
        expect({ length: matched, next: guess }).toEqual(longestByTrial(tokens))
      }),
      { numRuns: 500 },
    )
  })

  it('drafts a quotation as it goes on, from a text of any length', () => {
    const document = Array.from({ length: 5000 }, (_, i) => (i * i * 31 + i * 7) % 30_011)
    const lookup = lookupAfter([...document, 1, 2, ...document.slice(1234, 1240)], 5000)
    expect(lookup.matched).toBe(6)
    expect(lookup.draft(40)).toEqual(document.slice(1240, 1280))
    for (const token of document.slice(1240, 1400)) {
      expect(lookup.guess).toBe(token)
      lookup.push(token)
    }
    expect(lookup.matched).toBe(longestMatch)
  })

  it('takes what repeats itself to go on so', () => {
    expect(lookupAfter([9, 1, 2, 3, 1, 2, 3, 1, 2]).draft(7)).toEqual([3, 1, 2, 3, 1, 2, 3])
    expect(lookupAfter([5, 5, 5]).draft(4)).toEqual([5, 5, 5, 5])
  })

  it('guesses nothing where nothing occurred before', () => {
    const lookup = lookupAfter([1, 2, 3, 4, 1])
    expect([lookup.matched, lookup.guess, lookup.draft(3)]).toEqual([0, undefined, []])
    expect(lookupAfter([]).draft(3)).toEqual([])
  })
})
