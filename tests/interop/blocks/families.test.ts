import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openBlockModel, startBlockEngine, type BlockEngine } from '@petals-chat/blocks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { python } from '../../../swarm/paths.ts'
import { folderFiles } from '../../support/folder-files.ts'

const script = fileURLToPath(new URL('./reference_blocks.py', import.meta.url))
const [rows, tokens, hidden, blocks] = [2, 70, 64, 3]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-families-'))
  await promisify(execFile)(python, [script, folder], { maxBuffer: 2 ** 24 })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function floats(family: string, name: string): Promise<Float32Array> {
  const bytes = await readFile(path.join(folder, family, `${name}.f32`))
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

async function start(place: string): Promise<BlockEngine> {
  const model = await openBlockModel(folderFiles(path.join(folder, place)))
  return await startBlockEngine({ model, start: 0, end: blocks, cacheType: 'f32', cacheTokens: 1024 })
}

/** The largest |a − b| / |b| of a token, in the Euclidean norm. */
function worstError(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length)
  let worst = 0
  for (let token = 0; token < a.length; token += hidden) {
    let [difference, size] = [0, 0]
    for (let index = token; index < token + hidden; index++) {
      difference += (a[index]! - b[index]!) ** 2
      size += b[index]! ** 2
    }
    worst = Math.max(worst, Math.sqrt(difference / size))
  }
  return worst
}

/** Tokens [from, to) of one row. */
const part = (states: Float32Array, row: number, from: number, to: number): Float32Array =>
  states.slice((row * tokens + from) * hidden, (row * tokens + to) * hidden)

describe('the blocks of every family compute what transformers does, in float32', () => {
  it.each([
    'llama',
    'llama3',
    'yarn',
    'mistral',
    'mixtral',
    'qwen2',
    'qwen3',
    'falcon7b',
    'falcon40b',
    'bloom',
  ])('%s: a pass, parts of the span, and steps with a rewind', async (family) => {
    const input = await floats(family, 'input')
    const outputs = await Promise.all(
      Array.from({ length: blocks }, (_, block) => floats(family, `output-${block}`)),
    )
    await using engine = await start(family)
    const whole = { start: 0, end: blocks, batch: rows, tokens }
    expect(worstError(await engine.forward({ ...whole, states: input }), outputs[2]!)).toBeLessThan(1e-5)
    const middle = await engine.forward({ ...whole, start: 1, end: 2, states: outputs[0]! })
    expect(worstError(middle, outputs[1]!)).toBeLessThan(1e-5)

    await using cache = await engine.openCache({
      start: 0,
      end: blocks,
      batch: 1,
      maxLength: tokens,
      timeoutMs: 0,
    })
    const step = (from: number, to: number, row = 1) =>
      cache.step({
        start: 0,
        end: blocks,
        batch: 1,
        tokens: to - from,
        position: from,
        states: part(input, row, from, to),
      })
    const first = await step(0, 40)
    // Tokens of the other row, which the rewind drops.
    await step(40, 60, 0)
    const rest = [await step(40, 41), await step(41, 42), await step(42, tokens)]
    const all = Float32Array.from([first, ...rest].flatMap((states) => [...states]))
    expect(worstError(all, part(outputs[2]!, 1, 0, tokens))).toBeLessThan(1e-5)
  })

  it.each(['llama3', 'yarn', 'mixtral', 'falcon40b', 'bloom'])('%s from a GGUF file', async (family) => {
    await using engine = await start(path.join(family, 'gguf'))
    const states = await floats(family, 'input')
    const outputs = await engine.forward({ start: 0, end: blocks, batch: rows, tokens, states })
    expect(worstError(outputs, await floats(family, `output-${blocks - 1}`))).toBeLessThan(1e-5)
  })
})
