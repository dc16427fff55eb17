import { describe, expect, it } from 'vitest'
import type { CheckContext } from './check.ts'
import { describeKernels, kernelsCheck } from './kernels-check.ts'

const context = { environment: process.env } as unknown as CheckContext
const haswell = ['SSE3', 'SSSE3', 'AVX', 'AVX2', 'F16C', 'FMA', 'BMI2', 'LLAMAFILE', 'REPACK']

describe('the check of the kernels', () => {
  it('names, in one line, the instructions that the kernels of this machine use', async () => {
    const { status, message } = await kernelsCheck.run(context)
    expect(status).not.toBe('failure')
    expect(message).toMatch(/^[A-Z0-9-]+(, with [A-Z0-9-]+(, [A-Z0-9-]+)*)?$/)
  })

  it.each([
    ['x64', haswell, 'ok', 'AVX2, with SSE3, SSSE3, AVX, F16C, FMA, BMI2'],
    ['x64', [...haswell, 'AVX512', 'AVX512_VNNI'], 'ok', /^AVX512, with .*, AVX512-VNNI$/],
    ['x64', ['SSE3', 'SSSE3', 'AVX', 'LLAMAFILE'], 'warning', 'AVX, with SSE3, SSSE3'],
    ['x64', ['LLAMAFILE'], 'warning', 'those for any x64'],
    ['arm64', ['NEON', 'ARM_FMA', 'DOTPROD', 'OPENMP'], 'ok', 'DOTPROD, with NEON, ARM-FMA'],
    ['arm64', ['NEON', 'ARM_FMA'], 'warning', 'NEON, with ARM-FMA'],
    ['riscv64', [], 'warning', 'those for any riscv64'],
    ['s390x', ['VXE'], 'ok', 'VXE'],
  ] as const)('on %s with %j: %s', (architecture, features, status, message) => {
    const found = describeKernels(features, architecture)
    expect(found).toMatchObject({ status, message: expect.stringMatching(message) as string })
    expect(found.advice === undefined).toBe(status === 'ok')
  })

  it('tells what slow kernels lack', () => {
    expect(describeKernels(['SSE3'], 'x64').advice).toContain('None with AVX2 fit this machine')
  })
})
