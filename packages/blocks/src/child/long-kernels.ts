import { Backend, DeviceTensors, newContext, type Ggml } from '@petals-chat/ggml/native'
import { ggmlTypes, findCpuLibrary } from '@petals-chat/ggml'
import { selfCheck } from './self-check.ts'
import { startTimer } from './step-time.ts'

/** llama.cpp's name for the instructions AVX and F16C, without FMA. */
const variant = 'ivybridge'
/** The product that is measured: a matrix of `[inputs, outputs]` times this many tokens, about a millisecond. */
const [inputs, outputs, tokens] = [1024, 512, 64]
const repetitions = 20
/** Other kernels must be faster by this factor: those of attention and activations are slower. */
const worthwhile = 0.9

/**
 * Finds CPU kernels that compute long steps faster than those that llama.cpp prefers for this machine. GCC 11 has compiled
 * tinyBLAS so that the kernels with FMA write all of their sums to memory after each step of their inner loop; those without
 * FMA suffer less. With other compilers, processors or types of weights they lose, so both are measured.
 * @param folder of llama.cpp's libraries
 * @param weightType of most weights
 * @param measure times of a product with each backend
 * @returns undefined if there are none
 */
export async function findLongKernels(
  backend: Backend,
  folder: string,
  weightType: number,
  measure = productTimes,
): Promise<Backend | undefined> {
  const library = findCpuLibrary(folder, variant)
  const other = library === undefined ? undefined : openOther(backend.ggml, library)
  if (other === undefined) return undefined
  try {
    const [usualMs, otherMs] = await measure([backend, other], weightType)
    if (otherMs < usualMs * worthwhile) {
      await selfCheck(backend.ggml, 'cpu', library)
      return other
    }
  } catch {
    // The usual kernels have passed the self-check.
  }
  other[Symbol.dispose]()
  return undefined
}

/** Returns undefined if this machine can't run the library. */
function openOther(ggml: Ggml, library: string): Backend | undefined {
  try {
    return new Backend(ggml, 'cpu', library)
  } catch {
    return undefined
  }
}

/** The time of a product on one thread of each backend: the least of several, in turns. */
async function productTimes(
  backends: readonly [Backend, Backend],
  weightType: number,
): Promise<readonly [number, number]> {
  const [{ ggml, bufferType }] = backends
  using resources = new DisposableStack()
  const operands = resources.use(
    new DeviceTensors(backends[0], [
      { type: weightType, shape: [inputs, outputs] },
      { type: ggmlTypes.f32, shape: [inputs, tokens] },
    ]),
  )
  operands.clear()
  const [matrix, states] = operands.tensors
  const context = resources.adopt(newContext(ggml, 2, 2), ggml.free)
  const graph = ggml.new_graph_custom(context, 2, false)
  ggml.build_forward_expand(graph, ggml.mul_mat(context, matrix!, states!))
  const allocator = resources.adopt(ggml.gallocr_new(bufferType), ggml.gallocr_free)
  ggml.gallocr_alloc_graph(allocator, graph)
  const least: [number, number] = [Infinity, Infinity]
  for (let repetition = 0; repetition < repetitions; repetition++)
    for (const [index, backend] of backends.entries()) {
      backend.setThreads(1)
      const elapsed = startTimer(1)
      await backend.compute(graph)
      least[index] = Math.min(least[index]!, elapsed().undisturbedMs)
    }
  return least
}
