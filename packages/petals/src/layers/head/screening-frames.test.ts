import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { stretchTokens } from '../../tensor/logits.ts'
import { FrameReader } from './frame-reader.ts'
import {
  answerBytes,
  decodeAnswer,
  decodeHeader,
  decodeInputs,
  encodeRequest,
  requestHeaderBytes,
  ScreeningAnswer,
} from './screening-frames.ts'

const rows = 2 * stretchTokens + 5

/** Writes these estimates of one position in two parts, and reads them again. */
function sent(estimates: Float32Array, facts: { readonly norm: number; readonly error: number }) {
  const inputs = {
    positions: 1,
    norms: Float64Array.of(facts.norm),
    errors: Float64Array.of(facts.error),
  }
  const bytes = new Uint8Array(answerBytes(1, rows)).fill(0xff)
  const answer = new ScreeningAnswer(inputs, { rows, largestNorm: 1 }, bytes)
  // Products are estimates without their units.
  const products = estimates.map((value) => value / 8)
  for (const [first, end] of [
    [stretchTokens, rows],
    [0, stretchTokens],
  ] as const)
    answer.put(0, first, products.subarray(first, end), new Float32Array(end - first).fill(2), 4)
  return decodeAnswer(answer.bytes, rows)[0]!
}

it('estimates are within their rounding, and no code of a stretch is above its peak', () => {
  const most = 20
  const estimates = Float32Array.from({ length: rows }, (_, row) => most * Math.sin(row * row))
  estimates[3] = most
  estimates[70] = -most
  const { codes, peaks, step, rounding, inputNorm, inputError } = sent(estimates, { norm: 19.5, error: 0.5 })
  expect([inputNorm, inputError]).toEqual([19.5, 0.5])
  expect(rounding).toBeLessThan(most / 32_000)
  estimates.forEach((value, row) => {
    expect(Math.abs(codes[row]! * step - value)).toBeLessThanOrEqual(rounding)
  })
  for (const [stretch, peak] of peaks.entries()) {
    const own = codes.subarray(stretch * stretchTokens, (stretch + 1) * stretchTokens)
    expect(peak).toBe(Math.max(...own))
  }
})

it('estimates of zeros are zeros', () => {
  const { codes, step } = sent(new Float32Array(rows), { norm: 0, error: 0 })
  for (const code of codes) expect(code * step).toBe(0)
})

it('of a state that is not finite nothing is known', () => {
  expect(sent(new Float32Array(rows), { norm: NaN, error: NaN }).inputError).toBeNaN()
})

it.each([1, 3, 1000])('requests are read in pieces of %i bytes, one after the other', async (size) => {
  const pipe = new PassThrough()
  const reader = new FrameReader(pipe)
  const [first, second] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, -6)]
  const bytes = Buffer.concat([encodeRequest({ inputs: first }, 2), encodeRequest({ inputs: second }, 2)])
  for (let at = 0; at < bytes.length; at += size) pipe.write(bytes.subarray(at, at + size))
  for (const inputs of [first, second]) {
    const positions = decodeHeader(await reader.read(requestHeaderBytes))
    expect(positions).toBe(inputs.length / 2)
    expect(decodeInputs(await reader.read(positions * 2 * 4))).toEqual(inputs)
  }
})
