import { expect, it } from 'vitest'
import { chooseGguf, splitParts } from './gguf-choice.ts'

const names = [
  'README.md',
  'm-Q4_K_S.gguf',
  'm-Q4_K_M.gguf',
  'm-IQ4_K_M.gguf',
  'm-Q8_0.gguf',
  'mmproj-Q4_K_M.gguf',
]
const choose = (files: readonly string[], quantization?: string) => chooseGguf(files, quantization, 'o/r')

it('the wanted quantization is found, whatever the names of the others', () => {
  expect(choose(names, 'Q4_K_M')).toEqual(['m-Q4_K_M.gguf'])
  expect(choose(names, 'q8_0')).toEqual(['m-Q8_0.gguf'])
  expect(choose(['Q6_K/m.gguf', 'Q6_K_L/m.gguf'], 'Q6_K')).toEqual(['Q6_K/m.gguf'])
})

it('the default is Q4_K_M, else the next best, else the only one', () => {
  expect(choose(names)).toEqual(['m-Q4_K_M.gguf'])
  expect(choose(['m.Q8_0.gguf', 'm.Q5_K_M.gguf'])).toEqual(['m.Q5_K_M.gguf'])
  expect(choose(['ggml-model.gguf', 'a.txt'])).toEqual(['ggml-model.gguf'])
})

it('a split file has all its parts', () => {
  const parts = [1, 2, 3].map((part) => `Q4_K_M/m-0000${part}-of-00003.gguf`)
  expect(choose([...parts].reverse())).toEqual(parts)
  expect(splitParts('a.gguf')).toEqual(['a.gguf'])
})

it('the existing files are named', () => {
  expect(() => choose(names, 'Q3_K_L')).toThrow(
    /o\/r has no GGUF file of Q3_K_L\. There are: m-IQ4_K_M\.gguf, m-Q4_K_M/,
  )
  expect(() => choose(['config.json'])).toThrow(/no GGUF file\. Files there: config\.json/)
  expect(() => choose(['a-Q4_0.gguf', 'b-Q4_0.gguf'])).toThrow(
    /more than one GGUF file .*: a-Q4_0\.gguf, b-Q4_0\.gguf/,
  )
})
