import { ToolFailure } from '../tool-server.ts'
import type { BuiltInTool } from './built-in-tool.ts'
import { computeFormula, formulaNames } from './formula.ts'

/** The value of a formula. */
export const calculatorTool: BuiltInTool = {
  name: 'calculator',
  title: 'Calculator',
  description:
    `Computes a formula: numbers, + - * / % (rest) ^ (power) ! (factorial), brackets, ${formulaNames.join(', ')}. ` +
    'Angles are in radians; log is to the base 10, or log(x, base).',
  inputSchema: {
    type: 'object',
    properties: {
      expression: { type: 'string', description: 'The formula, such as 2 * (3 + sqrt(16)) ^ 2.' },
    },
    required: ['expression'],
    additionalProperties: false,
  },
  readOnly: true,
  run: ({ expression }) => {
    if (typeof expression !== 'string')
      throw new ToolFailure(
        'The calculator takes an object with the formula as a text: {"expression": "2 + 2"}.',
      )
    return inWords(computeFormula(expression))
  },
}

/** 15 digits are what a double has for certain: 0.1 + 0.2 is 0.3. */
function inWords(value: number): string {
  if (Number.isNaN(value)) throw new ToolFailure('The formula has no value among the real numbers.')
  if (!Number.isFinite(value))
    throw new ToolFailure('The value is too large, or there is a division by zero.')
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return `about ${value.toPrecision(15)}`
  return String(Number.isInteger(value) ? value + 0 : Number(value.toPrecision(15)))
}
