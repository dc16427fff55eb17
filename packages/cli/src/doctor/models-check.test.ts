import { describe, expect, it } from 'vitest'
import { describeNeeds, readFlags } from './models-check.ts'

const GB = 1e9
/** Llama 2 70B in the original's table: 1.05 GB in 16 bits, 2.10 in 32. */
const llama = { id: 'llama-2', need: { bytes: 0.27 * GB, original: { bytes16: 1.05 * GB } } }
const local = { id: 'local', need: { bytes: 5 * GB } }

describe('the check of the models', () => {
  it('compares the memory that they need with the free memory', () => {
    expect(describeNeeds([llama, local], 8 * GB, undefined)).toMatchObject({
      status: 'ok',
      message: 'llama-2 takes 270 MB, local takes 5.0 GB of 8.0 GB of free memory',
    })
    expect(describeNeeds([llama, local], 5.1 * GB, undefined)).toMatchObject({
      status: 'warning',
      advice: expect.stringContaining('do not all fit') as string,
    })
    expect(describeNeeds([llama, local], 4 * GB, undefined)).toMatchObject({
      status: 'failure',
      advice: expect.stringMatching(/^There is not enough for local:/) as string,
    })
  })

  it.each([
    [true, '1.1 GB, in 16 bits, which this processor supports'],
    [false, '2.1 GB, in 32 bits, because this processor has no AVX-512'],
    [undefined, '1.1 GB in 16 bits, or 2.1 GB in 32'],
  ])('tells what the original needs on a processor with 16 bits: %s', (has16Bit, words) => {
    expect(describeNeeds([llama], 8 * GB, has16Bit).advice).toContain(words)
  })

  it('says when the needs will be known', () => {
    expect(describeNeeds([{ id: 'a', need: undefined }], GB, true)).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('after the download') as string,
    })
  })
})

describe('the flags of the processor', () => {
  it.each([
    ['processor\t: 0\nflags\t\t: fpu sse avx2 avx512f avx512_bf16\nbugs\t: x', true],
    ['flags : fpu avx2 amx_bf16', true],
    ['flags\t: fpu sse avx2', false],
    ['Features : fp asimd', undefined],
    ['', undefined],
  ])('%j', (text, expected) => {
    expect(readFlags(text)).toBe(expected)
  })
})
