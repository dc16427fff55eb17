import { expect, it } from 'vitest'
import { findByName } from './use-typeahead.ts'

const models = ['Llama 3 8B', 'Llama 3 70B', 'Mixtral', 'SmolLM2', 'StableBeluga'].map((name) => ({ name }))
const found = (typed: string, index: number) => findByName(models, typed, index)?.name

it('letters select a name, and the same letter again selects the next', () => {
  expect(found('m', 0)).toBe('Mixtral')
  expect(found('st', 3)).toBe('StableBeluga')
  expect(found('s', 3)).toBe('StableBeluga')
  expect(found('ss', 4)).toBe('SmolLM2')
  expect(found('llama 3 7', 0)).toBe('Llama 3 70B')
  expect(found('x', 0)).toBeUndefined()
})
