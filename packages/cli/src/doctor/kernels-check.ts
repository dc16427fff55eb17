import { childEnvironment } from '@petals-chat/engine'
import { readCpuFeatures, usableLibraries } from '@petals-chat/ggml'
import { failure, ok, warning, type Check, type CheckResult } from './check.ts'

/** Says which of llama.cpp's kernels compute on this processor: LM heads and blocks of swarms, and models without a GPU. */
export const kernelsCheck: Check = {
  name: 'Kernels',
  async run({ environment }) {
    const { folder, reason = '' } = usableLibraries()
    if (folder === undefined) return warning(`none but JavaScript, for LM heads: ${reason}`, reinstall)
    try {
      return describeKernels(await readCpuFeatures(folder, childEnvironment(environment)), process.arch)
    } catch (error) {
      return failure(`llama.cpp's libraries can't be used: ${reasonOf(error)}`, reinstall)
    }
  },
}

const reinstall = 'Run `npm ci` on this machine.'

/** Sets of instructions by ggml's names; of those that a processor has, the first decides how fast the kernels are. */
const preferred = [
  ...['AMX_INT8', 'AVX512', 'AVX2', 'AVX', 'SSSE3'],
  ...['SME', 'SVE', 'MATMUL_INT8', 'DOTPROD', 'NEON'],
  ...['RISCV_V', 'VSX', 'VXE'],
]

/** Options of a build, which say nothing of the processor. */
const options = /^(LLAMAFILE|REPACK|OPENMP|KLEIDIAI|ACCELERATE|SVE_CNT)$/

/** What kernels need to be fast, by `process.arch`, and how slow they are without it. */
const needed: Readonly<Record<string, { readonly set: string; readonly without: string }>> = {
  // Measured with weights of 8 bits.
  x64: { set: 'AVX2', without: 'two to four times as long as with it' },
  arm64: { set: 'DOTPROD', without: 'longer than on newer processors' },
  arm: { set: 'NEON', without: 'much longer than on newer processors' },
  riscv64: { set: 'RISCV_V', without: 'much longer than on processors with vectors' },
}

/** @param features as `readCpuFeatures` returns them */
export function describeKernels(features: readonly string[], architecture: string): CheckResult {
  const sets = features.filter((feature) => !options.test(feature))
  const best = preferred.find((set) => sets.includes(set))
  const others = sets.filter((set) => set !== best)
  const kind = best === undefined ? `those for any ${architecture}` : spelled(best)
  const message = `${kind}${others.length === 0 ? '' : `, with ${others.map(spelled).join(', ')}`}`
  const { set, without } = needed[architecture] ?? {}
  if (set === undefined || sets.includes(set)) return ok(message)
  return warning(
    message,
    `None with ${spelled(set)} fit this machine: without a GPU, answers take ${without}. Choose small models.`,
  )
}

const spelled = (set: string): string => set.replaceAll('_', '-')

/** What the process printed before it ended, or how it ended. */
function reasonOf(error: unknown): string {
  const {
    stderr = '',
    signal,
    message,
  } = error as Error & { readonly stderr?: string; readonly signal?: string }
  const printed = /^.*Error: (.*)$/m.exec(stderr)?.[1]
  return printed ?? (signal ? `their process was ended by ${signal}` : message)
}
