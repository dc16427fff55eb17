import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from '../../../../../swarm/run.ts'
import { layoutOf } from './quantized-matrix.ts'
import { ScreeningThread } from './screening-thread.ts'

const layout = layoutOf(16, 64)
let folder: string
let setup: Parameters<typeof ScreeningThread.start>[0]

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'screening-'))
  const file = path.join(folder, 'head.bin')
  // All codes 129, which is 1, with scales of 0.5.
  const bytes = new Uint8Array(layout.byteLength).fill(129)
  bytes.set(new Uint8Array(new Float32Array(16).fill(0.5).buffer), layout.scales)
  await writeFile(file, bytes)
  setup = { path: file, layout, threads: 1 }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const request = () => ({ inputs: new Float32Array(128).fill(2), rounding: 'symmetric' }) as const

it('multiplies each position with all rows', async () => {
  await using thread = await ScreeningThread.start(setup)
  const { estimates, inputNorms } = await thread.run(request())
  expect(estimates.length).toBe(32)
  for (const estimate of estimates) expect(estimate).toBeCloseTo(64, 3)
  for (const norm of inputNorms) expect(norm).toBeCloseTo(16, 4)
})

it('says what onnxruntime says where the weights can not be loaded', async () => {
  const starting = ScreeningThread.start({ ...setup, path: path.join(folder, 'none.bin') })
  await expect(starting).rejects.toThrow(/none\.bin/)
})

it('ends with the reason of an abort', async () => {
  const controller = new AbortController()
  const starting = ScreeningThread.start(setup, { signal: controller.signal })
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(starting).rejects.toBe(reason)
})

it('refuses work after its end, and does not hang', async () => {
  const thread = await ScreeningThread.start(setup)
  await thread[Symbol.asyncDispose]()
  await expect(thread.run(request())).rejects.toThrow('has ended')
})

it('does not keep the process from ending', async () => {
  const script = `
    import { ScreeningThread } from ${JSON.stringify(new URL('screening-thread.ts', import.meta.url).href)}
    const thread = await ScreeningThread.start(${JSON.stringify(setup)})
    const { estimates } = await thread.run({ inputs: new Float32Array(64).fill(1), rounding: 'symmetric' })
    process.stdout.write(String(Math.round(estimates[0])))
  `
  const args = ['--conditions=petals-chat-source', '--input-type=module', '--eval', script]
  expect(await run(process.execPath, args)).toBe('32')
})
