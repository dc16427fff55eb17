import type { BlockRange } from '../blocks/block-range.ts'
import { seededBits } from '../sampling/random.ts'
import type { FakeServer } from './fake-server.ts'
import { runToyBlocks, toyBlocks } from './toy-block.ts'

export type Lie = (server: FakeServer, blocks: BlockRange, hiddenSize: number) => void

const rootMeanSquare = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)

/** Ways in which a server computes something else than its blocks. */
export const lies: Readonly<Record<string, Lie>> = {
  'its outputs times 1.05': (server) => {
    server.lie = (values) => values.forEach((value, i) => (values[i] = value * 1.05))
  },
  'its outputs times 1.01': (server) => {
    server.lie = (values) => values.forEach((value, i) => (values[i] = value * 1.01))
  },
  'its outputs shifted by 1 %': (server) => {
    server.lie = (values) => {
      const shift = 0.01 * rootMeanSquare(values)
      values.forEach((value, i) => (values[i] = value + shift))
    }
  },
  noise: (server) => {
    const bits = seededBits(3)
    server.lie = (values) => {
      const size = 0.1 * rootMeanSquare(values)
      values.forEach((value, i) => (values[i] = value + size * (bits() / 2 ** 32 - 0.5)))
    }
  },
  "another layer's outputs": (server, { start, end }, hiddenSize) => {
    const others = toyBlocks(start + 1, end + 1, hiddenSize)
    server.lie = (values, position) =>
      values.set(runToyBlocks(others, values.slice(), hiddenSize, position, 'float32'))
  },
  // The very same bytes would be noticed at once, without a check.
  'an old answer with little noise': (server, _blocks, hiddenSize) => {
    let old: Float32Array | undefined
    let count = 0
    server.lie = (values) => {
      if (values.length > 0) old ??= values.slice(-hiddenSize)
      values.forEach((_, i) => (values[i] = old![i % hiddenSize]! * (1 + 1e-6 * count++)))
    }
  },
}
