import { expect, it } from 'vitest'
import { precisionName } from './precision.ts'

it.each([
  ['float32', 'none', 'F32'],
  ['bfloat16', undefined, 'BF16'],
  ['float32', 'q8_0', 'Q8_0'],
  ['bfloat16', 'nf4', 'NF4 (BF16)'],
  ['float64', 'none', 'float64'],
  [undefined, 'int8', 'INT8'],
  [undefined, 'none', undefined],
])('names %s with quantization %s %s', (dtype, quantization, name) => {
  expect(precisionName({ dtype, quantization })).toBe(name)
})
