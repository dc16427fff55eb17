import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLocalLayers } from '../../packages/petals/src/layers/local-layers.ts'
import { ensureModel, findModel } from '../../swarm/models.ts'
import { python } from '../../swarm/paths.ts'
import { run } from '../../swarm/run.ts'
import { folderFiles } from '../support/folder-files.ts'

const script = fileURLToPath(new URL('save_pytorch.py', import.meta.url))

const names = ['random-llama', 'random-bloom', 'random-falcon']

let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'petals-chat-pytorch-'))
  const folders: string[] = []
  for (const name of names) folders.push(await ensureModel(findModel(name)), path.join(scratch, name))
  await run(python, [script, ...folders])
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

describe.each(names)('PyTorch shards of %s', (name) => {
  it('are read to the same layers as safetensors', async () => {
    const original = await ensureModel(findModel(name))
    const folder = path.join(scratch, name)
    const files = await readdir(folder)
    expect(files).toContain('pytorch_model.bin.index.json')
    expect(files.filter((file) => file.endsWith('.safetensors'))).toEqual([])

    const options = { folder: path.join(scratch, 'heads'), threads: 1 }
    await using expected = await openLocalLayers(folderFiles(original), options)
    await using layers = await openLocalLayers(folderFiles(folder), options)
    const tokens = [0, 1, 777, 49151]
    expect(layers.embed(tokens)).toEqual(expected.embed(tokens))
    const data = Float32Array.from({ length: layers.architecture.hiddenSize }, (_, i) => Math.sin(i))
    const outputs = { shape: [1, data.length] as const, data }
    const [ours] = await layers.logits(outputs)
    const [theirs] = await expected.logits(outputs)
    for (const token of tokens) expect(ours!.exact(token)).toBe(theirs!.exact(token))
    for (let token = 0; token < ours!.size; token++)
      expect(ours!.estimate(token)).toBe(theirs!.estimate(token))
  })
})
