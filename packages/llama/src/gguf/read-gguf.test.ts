import { mkdtemp, open, rm, truncate, writeFile, copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ModelUnavailableError } from '@petals-chat/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import { llamaConfigSchema, llamaModelSchema } from '../config.ts'
import { createLlamaEngine } from '../llama-engine.ts'
import { tinyModel, writeGguf, type TinyValue } from '../testing/tiny-gguf.ts'
import { readGgufInfo } from './read-gguf.ts'

let folder: string
beforeAll(async () => (folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-gguf-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

const write = async (name: string, metadata: Record<string, TinyValue> = {}): Promise<string> => {
  const file = path.join(folder, name)
  await writeFile(file, writeGguf({ ...tinyModel, metadata: { ...tinyModel.metadata, ...metadata } }))
  return file
}

describe('readGgufInfo', () => {
  it('reads the default model', async () => {
    expect(await readGgufInfo(await defaultModelPath())).toMatchObject({
      architecture: 'llama',
      quantization: 'Q4_1',
      contextLength: 8192,
      embeddingLength: 576,
      blockCount: 30,
      vocabSize: 49_152,
      parameterCount: 134_515_008,
      kvBytesPerToken: 23_040,
      tokenizer: { model: 'gpt2', pre: 'smollm' },
    })
  })

  it('reads a header that is longer than the first read', async () => {
    const info = await readGgufInfo(await write('long.gguf', { filler: 'x'.repeat(9 * 1024 * 1024) }))
    expect(info.name).toBe('Tiny')
  })

  it('describes what is wrong with a file', async () => {
    const missing = readGgufInfo(path.join(folder, 'none.gguf'))
    await expect(missing).rejects.toThrow(ModelUnavailableError)
    await expect(missing).rejects.toThrow(/none.gguf can't be read \(ENOENT\)/)
    const short = await write('short.gguf')
    await truncate(short, 500)
    await expect(readGgufInfo(short)).rejects.toThrow(
      /short.gguf can't be used: .* end of the file .* Download it again/,
    )
  })

  it('checks the other parts of a split model', async () => {
    const split = (part: number) => ({ 'split.no': part, 'split.count': 3 })
    const first = await write('model-00001-of-00003.gguf', split(0))
    await write('model-00002-of-00003.gguf', split(1))
    await expect(readGgufInfo(first)).rejects.toThrow(/part 3 .*model-00003-of-00003.gguf\) is missing/)
    const third = await write('model-00003-of-00003.gguf', split(2))
    expect((await readGgufInfo(first)).name).toBe('Tiny')
    await expect(readGgufInfo(third)).rejects.toThrow(/not the first of 3 parts/)
    await truncate(third, 300)
    await expect(readGgufInfo(first)).rejects.toThrow(/part 3 .* is damaged/)
  })
})

describe('a hostile file', () => {
  const load = async (file: string): Promise<unknown> => {
    await using engine = createLlamaEngine(llamaConfigSchema.parse({ threads: 1 }), {
      resolveFile: async () => file,
    })
    const spec = llamaModelSchema.parse({ id: 'hostile', engine: 'llama', source: file })
    return await engine.load(spec).catch((error: unknown) => error)
  }

  it('that passes the checks fails to load with a clear error, and does not end the gateway', async () => {
    // Well-formed, but a llama model has more than these two tensors.
    const error = await load(await write('tiny.gguf'))
    expect(error).toBeInstanceOf(ModelUnavailableError)
    expect(String(error)).toMatch(/'hostile' can't be loaded/)
  })

  it('that is cut off or has a changed header is refused', async () => {
    const original = await defaultModelPath()
    const mutants: ReadonlyArray<readonly [name: string, change: (file: string) => Promise<void>]> = [
      ['cut', (file) => truncate(file, 50_000_000)],
      ['counts', (file) => overwrite(file, 8, Buffer.alloc(8, 0xff))],
      ['keys', (file) => overwrite(file, 16, Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0]))],
      ['middle', (file) => overwrite(file, 1_000_000, Buffer.alloc(64, 0xff))],
      ['tensors', (file) => overwrite(file, 1_780_000, Buffer.alloc(64, 0x7f))],
    ]
    for (const [name, change] of mutants) {
      const file = path.join(folder, `${name}.gguf`)
      await copyFile(original, file)
      await change(file)
      expect(await load(file), name).toBeInstanceOf(ModelUnavailableError)
      await rm(file)
    }
  })
})

async function overwrite(file: string, offset: number, bytes: Buffer): Promise<void> {
  await using handle = await open(file, 'r+')
  await handle.write(bytes, 0, bytes.length, offset)
}
