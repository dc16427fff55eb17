import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ContextLengthError, InvalidRequestError } from './errors.ts'
import type { SamplingParams } from './sampling-params.ts'
import { validateSampling, validateSessionLength, validateTokens } from './validation.ts'

const refusal = (check: () => void): InvalidRequestError => {
  try {
    check()
  } catch (error) {
    if (error instanceof InvalidRequestError) return error
    throw error
  }
  throw new Error('accepted')
}

const valid: fc.Arbitrary<SamplingParams> = fc.record(
  {
    temperature: fc.double({ min: 0, max: 100, noNaN: true }),
    topK: fc.integer({ min: 1 }),
    topP: fc.double({ min: 0, max: 1, minExcluded: true, noNaN: true }),
    minP: fc.double({ min: 0, max: 1, noNaN: true }),
    repetitionPenalty: fc.double({ min: 0, minExcluded: true, noNaN: true, noDefaultInfinity: true }),
    presencePenalty: fc.double({ min: -2, max: 2, noNaN: true }),
    frequencyPenalty: fc.double({ min: -2, max: 2, noNaN: true }),
    seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    logitBias: fc.constant(new Map([[7, -100]])),
  },
  { requiredKeys: ['temperature'] },
)

describe('validateSampling', () => {
  it('accepts every value in range', () => {
    fc.assert(fc.property(valid, (sampling) => validateSampling(sampling, 8)))
  })

  it('accepts only numbers', () => {
    const fields = [
      'temperature',
      'topK',
      'topP',
      'minP',
      'repetitionPenalty',
      'presencePenalty',
      'frequencyPenalty',
      'seed',
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...fields),
        fc.oneof(fc.string(), fc.constant(NaN), fc.array(fc.nat())),
        (field, value) => {
          const sampling = { temperature: 1, [field]: value } as unknown as SamplingParams
          expect(refusal(() => validateSampling(sampling)).message).toContain('must be')
        },
      ),
    )
  })

  it('says what is wrong, and what is allowed', () => {
    const message = (sampling: object) =>
      refusal(() => validateSampling({ temperature: 1, ...sampling } as SamplingParams, 100)).message
    expect(message({ topP: 1.5 })).toBe('top_p must be a number above 0 and at most 1; got 1.5.')
    expect(message({ topK: '50' })).toBe('top_k must be an integer, 1 or more; got "50".')
    expect(message({ seed: -1 })).toBe('seed must be an integer from 0 to 4294967295; got -1.')
    expect(message({ temperature: undefined })).toBe(
      'temperature must be a number, 0 (greedy) or more; got undefined.',
    )
    expect(message({ logitBias: new Map([[100, 1]]) })).toBe(
      'logit_bias must be token ids from 0 to 99; got 100.',
    )
    expect(message({ logitBias: new Map([[5, 200]]) })).toBe(
      'logit_bias must be a number from -100 to 100 (for token 5); got 200.',
    )
    expect(message({ topP: 'x'.repeat(1000) }).length).toBeLessThan(150)
  })
})

describe('the other checks', () => {
  it('name the parameter as the caller knows it', () => {
    expect(refusal(() => validateTokens([], 10)).param).toBe('prompt')
    expect(refusal(() => validateTokens([10], 10, 'input')).param).toBe('input')
    expect(refusal(() => validateSessionLength(0, 10)).param).toBe('max_length')
    expect(() => validateSessionLength(11, 10)).toThrow(ContextLengthError)
    validateSessionLength(10, 10)
    validateTokens([0, 9], 10)
  })
})
