import { beforeAll, describe, expect, it } from 'vitest'
import { findLibraries } from '@petals-chat/ggml'
import { openGgml, type Ggml } from '@petals-chat/ggml/native'
import { seededBits } from '../../sampling/random.ts'
import { stretchTokens } from '../../tensor/logits.ts'
import { dot } from '../dot.ts'
import { GgmlProduct, kernelFor, slicesOf } from './ggml-product.ts'
import { JavaScriptProduct } from './javascript-product.ts'
import { quantizeInputs, type QuantizedInputs } from './quantized-input.ts'
import { layoutOf } from './quantized-matrix.ts'
import { quantize } from './quantized-vector.ts'
import { answerBytes, decodeAnswer, ScreeningAnswer, type ScreenedPosition } from './screening-frames.ts'
import type { ScreeningProduct } from './screening-product.ts'

const bits = seededBits(11)
const uniform = (): number => (bits() + 0.5) / 2 ** 32
const gaussian = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())

let ggml: Ggml
beforeAll(() => {
  ggml = openGgml(findLibraries()!.folder)
})

function quantizedRows(weights: readonly Float32Array[]) {
  const layout = layoutOf(weights.length, weights[0]!.length)
  const bytes = new Uint8Array(layout.rows * layout.rowBytes)
  const facts = weights.map((row, index) => quantize(row, bytes.subarray(index * layout.rowBytes)))
  const largestNorm = Math.sqrt(Math.max(...facts.map(({ squaredNorm }) => squaredNorm)))
  return { layout, bytes, facts, largestNorm, units: Float32Array.from(facts, ({ unit }) => unit) }
}

type Rows = ReturnType<typeof quantizedRows>
type Named = readonly [name: string, product: ScreeningProduct]

/** Both products of the rows, by name; ggml's on several slices. */
async function productsOf(
  { layout, bytes, units }: Rows,
  library = ggml,
): Promise<readonly [ggml: Named, javaScript: Named]> {
  const rows = async function* (first: number, count: number) {
    yield bytes.subarray(first * layout.rowBytes, (first + count) * layout.rowBytes)
  }
  return [
    ['ggml', await GgmlProduct.open(library, layout, { rows, units, threads: 3 })],
    ['JavaScript', new JavaScriptProduct(layout, bytes, units)],
  ]
}

/** Returns what the engine gets of a product. */
async function answerOf(
  product: ScreeningProduct,
  inputs: QuantizedInputs,
  { layout: { rows }, largestNorm }: Rows,
): Promise<readonly ScreenedPosition[]> {
  const bytes = new Uint8Array(answerBytes(inputs.positions, rows))
  const answer = new ScreeningAnswer(inputs, { rows, largestNorm }, bytes)
  await product.multiply(inputs, answer)
  return decodeAnswer(answer.bytes, rows)
}

/** The largest error of any product, as a part of its bound. */
async function worstError(
  weights: readonly Float32Array[],
  inputs: readonly Float32Array[],
  product: ScreeningProduct,
  rows: Rows,
) {
  const columns = weights[0]!.length
  const all = new Float32Array(inputs.length * columns)
  inputs.forEach((input, index) => all.set(input, index * columns))
  const quantized = quantizeInputs(all, columns)
  const screened = await answerOf(product, quantized, rows)
  let worst = 0
  inputs.forEach((input, position) =>
    weights.forEach((row, index) => {
      const { squaredError, squaredNorm } = rows.facts[index]!
      const { codes, step, rounding } = screened[position]!
      const bound =
        Math.sqrt(squaredError) * quantized.norms[position]! +
        Math.sqrt(squaredNorm) * quantized.errors[position]! +
        rounding
      const error = Math.abs(codes[index]! * step - dot(row, input))
      // Written so that NaN fails, too.
      if (!(error <= worst * bound)) worst = error === 0 ? worst : error / bound
    }),
  )
  return worst
}

const vector = (length: number, value: (i: number) => number): Float32Array =>
  Float32Array.from({ length }, (_, i) => value(i))

/** Vectors that quantization finds hard. */
const hard: Readonly<Record<string, (columns: number) => Float32Array>> = {
  'a single huge feature': (columns) => vector(columns, (i) => (i === columns - 1 ? 1e6 : gaussian())),
  'a huge feature in each block': (columns) => vector(columns, (i) => gaussian() * (i % 32 === 7 ? 500 : 1)),
  'equal values in each block': (columns) => vector(columns, (i) => Math.floor(i / 32) + 0.3),
  'values halfway between two codes': (columns) =>
    vector(columns, (i) => (i % 32 === 0 ? 127 : 0.5 + (i % 100))),
  zeros: (columns) => new Float32Array(columns),
  'blocks of zeros': (columns) => vector(columns, (i) => (Math.floor(i / 32) % 2 === 0 ? 0 : gaussian())),
  'tiny numbers': (columns) => vector(columns, () => gaussian() * 1e-15),
  'blocks of very different sizes': (columns) =>
    vector(columns, (i) => gaussian() * 2 ** -(Math.floor(i / 32) * 3)),
  'the largest signs': (columns) => vector(columns, (i) => (i % 2 === 0 ? 127 : -127)),
}

describe.each([32, 45, 576, 2080])('products of rows of %i columns', (columns) => {
  it.each(Object.keys(hard))('with %s are within their bound', async (name) => {
    const weights = [
      ...Object.values(hard).map((make) => make(columns)),
      ...Array.from({ length: 140 }, (_, row) => vector(columns, () => gaussian() * 0.02 * (1 + row))),
    ]
    const inputs = [hard[name]!(columns), ...Array.from({ length: 4 }, () => vector(columns, gaussian))]
    const rows = quantizedRows(weights)
    for (const [kind, product] of await productsOf(rows))
      expect(await worstError(weights, inputs, product, rows), kind).toBeLessThanOrEqual(1)
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 17])('are those of each of %i positions', async (positions) => {
    const weights = Array.from({ length: 2 * stretchTokens + 9 }, () => vector(columns, gaussian))
    const inputs = Array.from({ length: positions }, () => vector(columns, gaussian))
    const rows = quantizedRows(weights)
    for (const [kind, product] of await productsOf(rows)) {
      const worst = await worstError(weights, inputs, product, rows)
      expect(worst, kind).toBeLessThanOrEqual(1)
      // Fails for a bound that holds only because it is far too wide.
      expect(worst, kind).toBeGreaterThan(0.02)
    }
  })
})

it('a product with numbers that are not finite says that nothing is known, and the next one is right', async () => {
  const weights = Array.from({ length: 8 }, () => vector(64, gaussian))
  const rows = quantizedRows(weights)
  for (const [, product] of await productsOf(rows)) {
    for (const value of [NaN, Infinity, -Infinity]) {
      const quantized = quantizeInputs(
        vector(64, (i) => (i === 40 ? value : 1)),
        64,
      )
      expect(quantized.errors[0]).toBeNaN()
      const [screened] = await answerOf(product, quantized, rows)
      expect(screened!.inputError).toBeNaN()
    }
    expect(await worstError(weights, [vector(64, gaussian)], product, rows)).toBeLessThanOrEqual(1)
  }
})

it('a product that fails waits for its other threads, and the next one is right', async () => {
  const weights = Array.from({ length: 3 * stretchTokens }, () => vector(64, gaussian))
  const rows = quantizedRows(weights)
  let [asked, computing] = [0, 0]
  const failing: Ggml = {
    ...ggml,
    async computeAsync(backend, graph) {
      if (++asked === 1) throw new Error('no memory')
      computing++
      await new Promise(setImmediate)
      const isDone = await ggml.computeAsync(backend, graph)
      computing--
      return isDone
    },
  }
  const [[, product]] = await productsOf(rows, failing)
  await expect(answerOf(product, quantizeInputs(vector(64, gaussian), 64), rows)).rejects.toThrow('no memory')
  expect([asked, computing]).toEqual([3, 0])
  expect(await worstError(weights, [vector(64, gaussian)], product, rows)).toBeLessThanOrEqual(1)
})

describe('slicesOf', () => {
  it.each([
    [1, 1000, 1],
    [2, 1000, 2],
    [4, 3, 1],
    [3, 250_880, 27],
  ])('cuts rows for %i threads, so that they end together: %i rows in %i slices', (threads, rows, count) => {
    const slices = slicesOf({ rows, rowBytes: rows > 1000 ? 1700 : 612 }, threads)
    expect(slices.length).toBe(count)
    let next = 0
    for (const { first, rows: size } of slices) {
      expect(first).toBe(next)
      next += size
    }
    expect(next).toBe(rows)
  })
})

it('kernels take whole groups of four where they need them', () => {
  const taken = (columns: number) =>
    [1, 2, 3, 4, 5, 6, 7, 8].map((count) => {
      const { vectors, spread } = kernelFor(count, columns)
      return spread ? `${vectors} spread` : vectors
    })
  expect(taken(576)).toEqual([1, '2 spread', '3 spread', '4 spread', '5 spread', '6 spread', 8, 8])
  expect(taken(4096)).toEqual([1, '2 spread', '3 spread', 4, 8, 8, 8, 8])
})
