import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ToolFailure } from '../tool-server.ts'
import { calculatorTool } from './calculator.ts'
import { computeFormula } from './formula.ts'

const run = (expression: unknown) => calculatorTool.run({ expression }, { timeoutMs: 1000 })

it.each([
  ['2 + 3 * 4', '14'],
  ['(2 + 3) * 4', '20'],
  ['-2 ^ 2', '-4'],
  ['2 ^ -1', '0.5'],
  ['2 ^ 3 ^ 2', '512'],
  ['2 ** 10', '1024'],
  ['7 % 4', '3'],
  ['5! / 3!', '20'],
  ['0.1 + 0.2', '0.3'],
  ['1_000 × 2 ÷ 4 − 1', '499'],
  ['1e3 + .5', '1000.5'],
  ['sqrt(16) + cbrt(27)', '7'],
  ['log(1000) + log(8, 2) + ln(e)', '7'],
  ['round(2 / 3, 2)', '0.67'],
  ['max(1, 2, 3) - min(1, 2)', '2'],
  ['cos(pi)', '-1'],
  ['-0', '0'],
  ['10!', '3628800'],
  ['2 ^ 64', 'about 1.84467440737096e+19'],
  ['2^100', 'about 1.26765060022823e+30'],
])('%s is %s', (formula, value) => {
  expect(run(formula)).toBe(value)
})

it.each([
  ['', /ends too early/],
  ['2 +', /ends too early/],
  ['2 2', /can’t be read from '2' on/],
  ['(2', /ends too early/],
  ['2 3)', /can’t be read/],
  ['constructor', /'constructor' is unknown/],
  ['__proto__', /can’t be read from '__proto__' on/],
  ['toString()', /'tostring' is unknown/],
  ['process.exit(1)', /'process' is unknown/],
  ['sqrt 2', /Brackets are missing after sqrt/],
  ['sqrt(1, 2)', /sqrt takes 1 number, not 2/],
  ['sqrt(-1)', /no value among the real numbers/],
  ['1 / 0', /too large, or there is a division by zero/],
  ['9^9^9^9', /too large/],
  ['(1e9)!', /too large/],
  ['1.5!', /factorial is of an integer/],
  [7, /takes an object/],
])('%s is refused', (formula, message) => {
  expect(() => run(formula)).toThrow(message)
  expect(() => run(formula)).toThrow(ToolFailure)
})

it('that is long or deep is refused', () => {
  expect(() => run(`${'('.repeat(200)}1${')'.repeat(200)}`)).toThrow('more than 100 levels')
  expect(() => run(`${'-'.repeat(900)}1`)).toThrow('more than 100 levels')
  expect(() => run('1+'.repeat(600))).toThrow('more than 1000 characters')
})

describe('any formula', () => {
  it('of numbers has the value that JavaScript gives it', () => {
    const number = fc.double({ min: 0, max: 1e6, noNaN: true, noDefaultInfinity: true }).map(String)
    const { formula } = fc.letrec<{ formula: string }>((tie) => ({
      formula: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        number,
        fc
          .tuple(tie('formula'), fc.constantFrom('+', '-', '*', '/', '%'), tie('formula'))
          .map(([left, sign, right]) => `(${left}) ${sign} (${right})`),
        tie('formula').map((inner) => `-(${inner})`),
      ),
    }))
    fc.assert(
      fc.property(formula, (text) => {
        fc.pre(text.length <= 1000)
        const expected = new Function(`return ${text}`)() as number
        expect(computeFormula(text)).toBe(expected)
      }),
    )
  })

  it('has a value or is refused in words, in little time', () => {
    const piece = fc.constantFrom(
      ...'0123456789.eE+-*/%^!(),_ π',
      'sqrt',
      'log(',
      'min(',
      '**',
      '1e308',
      '!!',
      'pi',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 1200 }),
          fc.array(piece, { maxLength: 400 }).map((all) => all.join('')),
        ),
        (text) => {
          try {
            expect(run(text)).toMatch(/^(about )?-?[\d.]+(e[+-]\d+)?$/)
          } catch (error) {
            expect(error).toBeInstanceOf(ToolFailure)
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
})
