import { expect, it } from 'vitest'
import { byLikenessTo, differingNames, likenessOf } from './numbers.ts'

const python = { torchDtype: 'float32', quantType: 'none', version: '2.2.0.post1' }
const native = { ...python, version: '2.3.0.dev2+petals.chat.0.1.0' }
const quantized = { ...native, quantType: 'q8_0' }

it('servers compute alike by number type, quantization and program', () => {
  expect(likenessOf(python, { ...python, version: '2.3.0.dev2' })).toBe('same')
  expect(likenessOf(python, { ...python, quantType: undefined })).toBe('same')
  expect(likenessOf(python, { ...native, version: undefined })).toBe('same')
  expect(likenessOf(python, native)).toBe('rounding')
  expect(likenessOf(native, quantized)).toBe('other')
  expect(likenessOf(python, { ...python, torchDtype: 'bfloat16' })).toBe('other')
})

it('those that compute like a server come first', () => {
  const servers = [quantized, native, python].map((server) => ({ server }))
  expect(servers.toSorted(byLikenessTo(python)).map(({ server }) => server)).toEqual([
    python,
    native,
    quantized,
  ])
})

it('a difference has a name, that of the program where there is no other', () => {
  expect(differingNames(python, python)).toBeUndefined()
  expect(differingNames(python, quantized)).toEqual({ before: 'F32', after: 'Q8_0' })
  expect(differingNames(native, python)).toEqual({ before: 'F32 (llama.cpp)', after: 'F32 (PyTorch)' })
  expect(differingNames({ version: python.version }, native)).toEqual({ before: '?', after: 'F32' })
})
