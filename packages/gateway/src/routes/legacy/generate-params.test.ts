import { InvalidRequestError, validateSampling } from '@petals-chat/engine'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newTokenLimit, parseLength, parseSampling } from './generate-params.ts'
import {
  flagParam,
  floatParam,
  integerParam,
  type RawParams,
  textListParam,
  textParam,
} from './python-values.ts'

const paramsOf =
  (values: Record<string, unknown>): RawParams =>
  (name) =>
    Object.hasOwn(values, name) ? values[name] : undefined

describe('values as Python reads them', () => {
  it.each([
    ['5', 5],
    [' 5 ', 5],
    ['+5', 5],
    ['-5', -5],
    ['1_000', 1000],
    ['0', 0],
    [5, 5],
    [5.0, 5],
    [true, 1],
    [null, undefined],
    [undefined, undefined],
  ])('reads the integer %o', (value, expected) => {
    expect(integerParam(paramsOf({ n: value }), 'n')).toBe(expected)
  })

  it.each([
    '',
    'abc',
    '5.0',
    '1e3',
    '0x10',
    '1__0',
    '_1',
    5.5,
    NaN,
    Infinity,
    2 ** 53,
    [],
    {},
    [5],
    '9'.repeat(40),
  ])('refuses the integer %o, naming the parameter', (value) => {
    expect(() => integerParam(paramsOf({ top_k: value }), 'top_k')).toThrow(
      /^top_k must be an integer, but is /,
    )
  })

  it.each([
    ['0.9', 0.9],
    ['.5', 0.5],
    ['5.', 5],
    ['1e-3', 0.001],
    ['-1_0.5', -10.5],
    [0.6, 0.6],
    [1, 1],
  ])('reads the number %o', (value, expected) => {
    expect(floatParam(paramsOf({ n: value }), 'n')).toBe(expected)
  })

  it.each(['', '.', 'nan', 'inf', '-Infinity', '1e999', '0,9', '1e', NaN, Infinity, {}, ['1']])(
    'refuses the number %o',
    (value) => {
      expect(() => floatParam(paramsOf({ temperature: value }), 'temperature')).toThrow(InvalidRequestError)
    },
  )

  it.each([
    [0, false],
    [1, true],
    ['0', false],
    ['1', true],
    [false, false],
    [true, true],
    ['True', true],
    ['false', false],
    [null, false],
    [undefined, false],
    [2, true],
  ])('reads the flag %o', (value, expected) => {
    expect(flagParam(paramsOf({ do_sample: value }), 'do_sample')).toBe(expected)
  })

  it('refuses texts and lists that are none', () => {
    expect(() => textParam(paramsOf({ inputs: 5 }), 'inputs')).toThrow('inputs must be a string, but is 5.')
    expect(() => textListParam(paramsOf({ extra: 'a' }), 'extra')).toThrow('must be a list of strings')
    expect(() => textListParam(paramsOf({ extra: ['a', 1] }), 'extra')).toThrow('must be a list of strings')
    expect(textListParam(paramsOf({ extra: null }), 'extra')).toBeUndefined()
  })

  it('never throws anything but an InvalidRequestError that names the parameter', () => {
    const value = fc.oneof(fc.jsonValue(), fc.double(), fc.string())
    fc.assert(
      fc.property(value, (anything) => {
        for (const read of [integerParam, floatParam, flagParam, textParam, textListParam]) {
          try {
            read(paramsOf({ param: anything }), 'param')
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidRequestError)
            expect((error as InvalidRequestError).param).toBe('param')
          }
        }
      }),
    )
  })
})

describe('parseSampling', () => {
  const sampling = (values: Record<string, unknown>) => parseSampling(paramsOf(values))

  it('is greedy without do_sample, whatever else is given', () => {
    expect(sampling({})).toEqual({ temperature: 0 })
    expect(sampling({ do_sample: 0, temperature: 0.6, top_k: 5, top_p: 0.9 })).toEqual({ temperature: 0 })
    expect(sampling({ repetition_penalty: 1.2 })).toEqual({ temperature: 0, repetitionPenalty: 1.2 })
    expect(sampling({ temperature: -1, top_p: 7 })).toEqual({ temperature: 0 })
  })

  it('samples with the filters that are given, and no others', () => {
    expect(sampling({ do_sample: 1 })).toEqual({ temperature: 1 })
    expect(sampling({ do_sample: '1', temperature: '0.6', top_p: '0.9' })).toEqual({
      temperature: 0.6,
      topP: 0.9,
    })
    expect(sampling({ do_sample: 1, top_k: 40, repetition_penalty: 1.1 })).toEqual({
      temperature: 1,
      topK: 40,
      repetitionPenalty: 1.1,
    })
  })

  it("reads edge values as transformers' warpers do", () => {
    expect(sampling({ do_sample: 1, top_k: 0, top_p: 1 })).toEqual({ temperature: 1 })
    expect(sampling({ do_sample: 1, top_p: 2 })).toEqual({ temperature: 1 })
    expect(sampling({ do_sample: 1, top_p: 0 })).toEqual({ temperature: 1, topP: 1e-6 })
  })

  const accepted = (values: Record<string, unknown>) => {
    try {
      return sampling(values)
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidRequestError)
      return undefined
    }
  }

  it('stays within what engines can compute', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(5e-324, 1e-40, 1e300, 0),
    )
    const values = fc.record({
      do_sample: fc.constantFrom(0, 1),
      temperature: number,
      top_k: fc.maxSafeInteger(),
      top_p: number,
      repetition_penalty: number,
    })
    fc.assert(
      fc.property(values, (params) => {
        const result = accepted(params)
        if (result === undefined) return
        expect(() => validateSampling(result)).not.toThrow()
        for (const value of Object.values(result))
          expect(Number.isFinite(Math.fround(value as number))).toBe(true)
        expect(result.topK ?? 1).toBeLessThan(2 ** 31)
        expect(Math.fround(result.repetitionPenalty ?? 1)).toBeGreaterThan(0)
      }),
    )
  })

  it.each([
    [{ do_sample: 1, temperature: -1 }, /^temperature must be above 0/],
    [{ do_sample: 1, top_k: -2 }, /^top_k must be at least 1/],
    [{ do_sample: 1, top_p: -0.1 }, /^top_p must be between 0 and 1/],
    [{ repetition_penalty: 0 }, /^repetition_penalty must be above 0/],
    [{ do_sample: 'maybe' }, /^do_sample must be an integer/],
  ])('refuses %o', (values, message) => {
    expect(() => sampling(values)).toThrow(message)
  })
})

describe('lengths', () => {
  const limit = (values: Record<string, unknown>, length: number) =>
    newTokenLimit(parseLength(paramsOf(values)), length)

  it('counts as transformers does: max_new_tokens first, then max_length, then 20; at least one token', () => {
    expect(limit({ max_new_tokens: 5, max_length: 7 }, 6)).toBe(5)
    expect(limit({ max_length: 7 }, 5)).toBe(2)
    expect(limit({ max_length: 7 }, 9)).toBe(1)
    expect(limit({}, 15)).toBe(5)
    expect(limit({}, 100)).toBe(1)
  })

  it.each([{ max_length: 0 }, { max_length: -1 }, { max_new_tokens: 0 }, { max_new_tokens: 2 ** 31 }])(
    'refuses %o',
    (values) => {
      expect(() => parseLength(paramsOf(values))).toThrow('must be at least 1')
    },
  )
})
