import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../sampling/random.ts'
import { argmax, leadingTokens, ProbabilityRanking, topK } from '../sampling/ranking.ts'
import { floatTensor } from '../tensor/tensor.ts'
import { ExactLogits } from '../tensor/logits.ts'
import { LmHead } from './lm-head.ts'
import { dot } from './screened-logits.ts'
import { WeightMatrix } from './weight-matrix.ts'

const rows = 5000
const random = seededRandom(5)
const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

let folder: string
beforeAll(async () => (folder = await mkdtemp(path.join(tmpdir(), 'lm-head-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

async function makeHead(name: string, columns: number, dtype: 'float32' | 'bfloat16' | 'float16') {
  // Rows of very different size, a few outliers in each, and one row of zeros: what trained matrices look like.
  const weights = Float32Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns)
    return row === 17 ? 0 : gaussian() * (0.02 + (row % 13) * 0.01) * (random() < 0.01 ? 8 : 1)
  })
  const file = path.join(folder, `${name}.bin`)
  await writeFile(file, floatTensor(weights, [rows, columns], dtype).data)
  const matrix = new WeightMatrix({ path: file, offset: 0, dtype, shape: [rows, columns] })
  const exactRows = matrix.read(0, rows)
  const full = (input: Float32Array): ExactLogits =>
    new ExactLogits(
      Float32Array.from({ length: rows }, (_, r) =>
        dot(input, exactRows.subarray(r * columns, (r + 1) * columns)),
      ),
    )
  return { head: await LmHead.create(matrix, { folder, key: name, threads: 1 }), full }
}

const inputs = (columns: number, count: number): Float32Array[] =>
  Array.from({ length: count }, (_, i) =>
    Float32Array.from({ length: columns }, () => gaussian() * (1 + (i % 4) * 3)),
  )

describe.each([
  ['float32', 576],
  ['bfloat16', 2048],
  ['float16', 96],
] as const)('LmHead on %s weights of width %i', (dtype, columns) => {
  it('keeps every error within its bound', async () => {
    const { head, full } = await makeHead(`bound-${dtype}`, columns, dtype)
    await using _ = head
    for (const input of inputs(columns, 4)) {
      const [logits] = await head.logits([input])
      const exact = full(input)
      let worst = 0
      for (let token = 0; token < rows; token++) {
        const margin = logits!.margin(token)
        const error = Math.abs(logits!.estimates[token]! - exact.exact(token))
        worst = Math.max(worst, margin === 0 ? error : error / margin)
      }
      expect(worst).toBeLessThanOrEqual(1)
    }
  })

  it('chooses as the full product does', async () => {
    const { head, full } = await makeHead(`choice-${dtype}`, columns, dtype)
    await using _ = head
    const batch = inputs(columns, 12)
    const screened = await head.logits(batch)
    batch.forEach((input, index) => {
      const exact = full(input)
      const logits = screened[index]!
      expect(argmax(logits)).toBe(argmax(exact))
      const ids = (list: readonly { readonly token: number }[]): number[] => list.map(({ token }) => token)
      expect(ids(topK(logits, 40))).toEqual(ids(topK(exact, 40)))
      const nucleus = (of: typeof logits): number[] =>
        ids(leadingTokens(new ProbabilityRanking(of, 0.7), 0.9))
      expect(nucleus(logits)).toEqual(nucleus(exact))
    })
  })
})

it('shares one pass between calls that come together, and answers each with its own rows', async () => {
  const { head, full } = await makeHead('shared', 96, 'float32')
  await using _ = head
  const batch = inputs(96, 6)
  const answers = await Promise.all(batch.map((input) => head.logits([input])))
  answers.forEach(([logits], index) => expect(argmax(logits!)).toBe(argmax(full(batch[index]!))))
})
