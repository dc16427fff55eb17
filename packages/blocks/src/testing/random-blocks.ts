import { checkValues } from '../child/self-check.ts'
import { DeviceTensors, type Backend } from '@petals-chat/ggml/native'
import type { LoadedBlocks } from '../graph/step-graph.ts'
import { kvSize, type BlockShape } from '../model/block-shape.ts'
import { ggmlTypes } from '@petals-chat/ggml'

/** Blocks of the Llama family with the same random weights, each with a KV cache of its own that is full of random values. */
export class RandomBlocks implements Disposable {
  readonly loaded: LoadedBlocks
  readonly #resources = new DisposableStack()

  constructor(backend: Backend, shape: BlockShape, cells: number) {
    const { ggml } = backend
    const tensors = (shapes: readonly (readonly number[])[]): DeviceTensors =>
      this.#resources.use(
        new DeviceTensors(
          backend,
          shapes.map((each) => ({ type: ggmlTypes.f32, shape: each })),
        ),
      )
    const weights = weightsOf(shape)
    const stored = tensors(weights.map(([, size]) => size))
    for (const [index, [name, [inputs, outputs]]] of weights.entries()) {
      const isNorm = name.endsWith('norm')
      const values = checkValues(index, inputs * outputs).map((value) => (isNorm ? 1 + value / 4 : value / 8))
      ggml.backend_tensor_set(stored.tensors[index]!, values, 0, values.byteLength)
    }
    const cache = tensors(Array(2 * shape.blocks).fill([kvSize(shape), cells]))
    for (const [index, tensor] of cache.tensors.entries()) {
      const values = checkValues(100 + index, kvSize(shape) * cells)
      ggml.backend_tensor_set(tensor, values, 0, values.byteLength)
    }
    const byName = new Map(weights.map(([name], index) => [`${name}.weight`, stored.tensors[index]!]))
    const blocks = Array.from({ length: shape.blocks }, (_, block) => ({
      weights: byName,
      keys: cache.tensors[2 * block]!,
      values: cache.tensors[2 * block + 1]!,
    }))
    this.loaded = { shape, blocks, ropeFactors: undefined, cacheElementBytes: 4 }
  }

  [Symbol.dispose](): void {
    this.#resources.dispose()
  }
}

function weightsOf(shape: BlockShape): readonly (readonly [string, readonly [number, number]])[] {
  const { hiddenSize: hidden, feedForwardSize: inner } = shape
  return [
    ['attn_norm', [hidden, 1]],
    ['attn_q', [hidden, hidden]],
    ['attn_k', [hidden, kvSize(shape)]],
    ['attn_v', [hidden, kvSize(shape)]],
    ['attn_output', [hidden, hidden]],
    ['ffn_norm', [hidden, 1]],
    ['ffn_gate', [hidden, inner]],
    ['ffn_up', [hidden, inner]],
    ['ffn_down', [inner, hidden]],
  ]
}
