import { checkShape, checkTokens, checkValues, checkWeights, valuesOf } from '../child/self-check.ts'

type Matrix = readonly (readonly number[])[]

const weights = new Map<string, Matrix>()
for (const [index, [name, [inputs, outputs]]] of checkWeights.entries()) {
  const values = valuesOf(index)
  weights.set(
    name,
    Array.from({ length: outputs }, (_, row) => [...values.subarray(row * inputs, (row + 1) * inputs)]),
  )
}
const weight = (name: string): Matrix => weights.get(name)!
const times = (name: string, x: readonly number[]): number[] =>
  weight(name).map((row) => row.reduce((sum, value, index) => sum + value * x[index]!, 0))

function rmsNorm(name: string, x: readonly number[]): number[] {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length
  return x.map(
    (value, index) => (value / Math.sqrt(mean + checkShape.normEpsilon)) * weight(name)[0]![index]!,
  )
}

function rotated(head: readonly number[], position: number): number[] {
  const half = head.length / 2
  return head.map((value, index) => {
    const pair = index % half
    const angle = position * checkShape.rope!.base ** (-pair / half)
    const other = index < half ? -head[index + half]! : head[index - half]!
    return value * Math.cos(angle) + other * Math.sin(angle)
  })
}

const split = (x: readonly number[]): number[][] =>
  Array.from({ length: x.length / checkShape.headSize }, (_, head) =>
    x.slice(head * checkShape.headSize, (head + 1) * checkShape.headSize),
  )
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * b[index]!, 0)

/** The output of the last token of the block that the engine checks itself with, in double precision and without any library. */
export function referenceOutput(): readonly number[] {
  const inputs = checkValues(0, (checkTokens + 1) * checkShape.hiddenSize)
  const states = Array.from({ length: checkTokens + 1 }, (_, token) => [
    ...inputs.subarray(token * checkShape.hiddenSize, (token + 1) * checkShape.hiddenSize),
  ])
  const normed = states.map((state) => rmsNorm('attn_norm', state))
  const keys = normed.map((x, token) => split(times('attn_k', x)).map((head) => rotated(head, token)))
  const values = normed.map((x) => split(times('attn_v', x)))
  const queries = split(times('attn_q', normed.at(-1)!)).map((head) => rotated(head, checkTokens))
  const perKey = checkShape.heads / checkShape.kvHeads
  const attended = queries.flatMap((query, head) => {
    const group = Math.floor(head / perKey)
    const scores = keys.map((key) => Math.exp(dot(query, key[group]!) / Math.sqrt(checkShape.headSize)))
    const total = scores.reduce((sum, score) => sum + score, 0)
    return query.map((_, index) =>
      scores.reduce((sum, score, token) => sum + (score / total) * values[token]![group]![index]!, 0),
    )
  })
  const middle = times('attn_output', attended).map((value, index) => value + states.at(-1)![index]!)
  const x = rmsNorm('ffn_norm', middle)
  const up = times('ffn_up', x)
  const gated = times('ffn_gate', x).map((value, index) => (value / (1 + Math.exp(-value))) * up[index]!)
  return times('ffn_down', gated).map((value, index) => value + middle[index]!)
}
