import { findLlamaLibraries } from '@petals-chat/llama'
import { describe, expect, it } from 'vitest'
import { openGgml, type Ggml } from '@petals-chat/ggml/native'
import { referenceOutput } from '../testing/reference-block.ts'
import { expectedGgmlVersion } from './block-worker.ts'
import { expectedOutput } from './self-check-output.ts'
import { relativeError, selfCheck } from './self-check.ts'

const ggml = openGgml(findLlamaLibraries()!.folder)

describe('the self-check', () => {
  it('compares with what plain arithmetic gives', () => {
    expect(relativeError(Float32Array.from(expectedOutput), referenceOutput())).toBeLessThan(1e-7)
  })

  it('passes with the libraries that are pinned', async () => {
    expect(ggml.version()).toBe(expectedGgmlVersion)
    await selfCheck(ggml, 'cpu')
  })

  it.each<readonly [string, Partial<Ggml>]>([
    [
      'exchanges two arguments',
      { swiglu_split: (context, gate, up) => ggml.swiglu_split(context!, up!, gate!) },
    ],
    ['pairs other elements of a head', { rope_ext: (...values) => ggml.rope_ext(...values.with(5, 0)) }],
    ['forgets the epsilon', { rms_norm: (context, x) => ggml.rms_norm(context!, x!, 0.05) }],
    [
      'scales attention otherwise',
      { flash_attn_ext: (...values) => ggml.flash_attn_ext(...values.with(5, 0.3)) },
    ],
  ])('finds a library that %s', async (_, fault) => {
    await expect(selfCheck({ ...ggml, ...fault }, 'cpu')).rejects.toThrow(/something else than it should/)
  })
})
