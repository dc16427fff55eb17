import { describe, expect, it } from 'vitest'
import { parseGpus, visibleGpus } from './machine/gpus.ts'
import type { Machine } from './machine/machine.ts'
import { readBlockModel } from './model/block-model.ts'
import { bytesPerBlock } from './model/memory.ts'
import { planServer } from './plan-server.ts'

const llama70b = {
  model_type: 'llama',
  num_hidden_layers: 80,
  hidden_size: 8192,
  intermediate_size: 28_672,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  torch_dtype: 'float16',
}
const read = (config: object) => readBlockModel(JSON.stringify(config), 'org/model')
const model = read(llama70b)
const gpus = (text: string) => parseGpus(text)
const rtx3090 = '0, NVIDIA GeForce RTX 3090, 24576, 24000, 550.54.15, 8.6'
const machine = (lines: string, more: Partial<Machine> = {}): Machine => ({
  platform: 'linux',
  arch: 'x64',
  gpus: gpus(lines),
  freeMemoryBytes: 30e9,
  ...more,
})

describe('readBlockModel', () => {
  it('counts the weights of a block as Petals does', () => {
    // Parameters of the whole model, embeddings and head aside: 68.45 of 68.98 billion.
    expect((model.parametersPerBlock * 80) / 1e9).toBeCloseTo(68.45, 1)
    expect(model).toMatchObject({ blocks: 80, keyValueGroups: 8, fileBytesPerWeight: 2 })
    const bloom = read({ model_type: 'bloom', n_layer: 70, hidden_size: 14_336, n_head: 112 })
    expect((bloom.parametersPerBlock * 70) / 1e9).toBeCloseTo(172.6, 0)
    const falcon = read({
      model_type: 'falcon',
      num_hidden_layers: 80,
      hidden_size: 14_848,
      num_attention_heads: 232,
      num_kv_heads: 8,
      new_decoder_architecture: true,
    })
    expect((falcon.parametersPerBlock * 80) / 1e9).toBeCloseTo(177.6, 0)
  })

  it('names the models that Petals can serve', () => {
    expect(() => read({ model_type: 'qwen2' })).toThrow(/org\/model is a model of the type 'qwen2'/)
    const scaling = { rope_type: 'llama3', factor: 8 }
    expect(() => read({ ...llama70b, rope_scaling: scaling })).toThrow(/Llama 3\.1 and later/)
    expect(read({ ...llama70b, rope_scaling: { type: 'linear', factor: 2 } }).blocks).toBe(80)
    expect(() => read({ model_type: 'llama', num_hidden_layers: -1 })).toThrow(/no valid/)
    expect(() => readBlockModel('nonsense', 'org/model')).toThrow(/config\.json of org\/model is not a JSON/)
  })
})

describe('planServer', () => {
  it('fills the GPU with blocks in 4 bits', () => {
    const plan = planServer(model, machine(rtx3090), {})
    expect(plan).toMatchObject({
      device: 'cuda:0',
      torch: 'cuda',
      quantization: 'nf4',
      dtype: 'auto',
      blocks: undefined,
    })
    // 0.46 GB of weights and 67 MB of cache for each block.
    expect(plan.blockCount).toBeGreaterThanOrEqual(44)
    expect(plan.blockCount).toBeLessThanOrEqual(50)
    expect(plan.warnings).toEqual([])
  })

  it('serves from the memory of a machine without a GPU, in float32, with a number of blocks', () => {
    const small = read({ ...llama70b, hidden_size: 4096, intermediate_size: 11_008, num_attention_heads: 32 })
    const plan = planServer(small, machine(''), {})
    expect(plan).toMatchObject({ device: 'cpu', torch: 'cpu', quantization: 'none', dtype: 'float32' })
    const perBlock = bytesPerBlock(small, { dtype: 'float32', quantization: 'none' })
    expect(plan.blocks).toBe(Math.floor((30e9 * 0.7) / perBlock))
    expect(plan.warnings).toEqual([expect.stringContaining('A CPU is')])
  })

  it('uses the settings of the user', () => {
    const wishes = {
      blocks: { start: 4, end: 8 },
      quantization: 'int8',
      dtype: 'float16',
      device: 'cuda:1',
    } as const
    const two = `${rtx3090}\n1, NVIDIA A100, 81920, 81000, 550.1, 8.0`
    expect(planServer(model, machine(two), wishes)).toMatchObject({
      ...wishes,
      blockCount: 4,
      gpu: { index: 1 },
    })
  })

  it.each([
    [{ blocks: { start: 78, end: 81 } }, rtx3090, /this model has the blocks 0 to 79/],
    [{ blocks: 80 }, rtx3090, /80 blocks need .* fit into the memory of the NVIDIA GeForce RTX 3090/],
    [{ device: 'cuda:3' }, rtx3090, /There is no GPU 3 for --device cuda:3: there is cuda:0/],
    [{ device: 'cuda' }, '', /nvidia-smi finds none/],
    [{ device: 'gpu' }, '', /--device takes cpu, cuda/],
    [{ device: 'mps' }, '', /Mac/],
    [{ device: 'cpu', quantization: 'nf4' }, rtx3090, /--quantization nf4 needs an NVIDIA GPU/],
    [{ device: 'cpu', dtype: 'float16' }, rtx3090, /does not compute in float16/],
    [{ device: 'cuda' }, '0, NVIDIA RTX 5090, 32000, 31000, 570.1, 12.0', /newer than the PyTorch 2\.3/],
    [{ device: 'cuda' }, '0, Tesla K80, 12000, 12000, 470.1, 3.7', /driver 470\.1 .* too old/],
    [{}, '0, Quadro, 1024, 1000, 550.1, 7.5', /A block of this model needs .* memory of the Quadro/],
  ] as const)('refuses %j on [%s]', (wishes, lines, message) => {
    expect(() => planServer(model, machine(lines), wishes)).toThrow(message)
  })

  it('falls back to the CPU, and says why, if it can’t use the GPU', () => {
    const tiny = read({ ...llama70b, hidden_size: 1024, intermediate_size: 2048, num_attention_heads: 16 })
    const plan = planServer(tiny, machine('0, NVIDIA RTX 5090, 32000, 31000, 570.1, 12.0'), {})
    expect(plan.device).toBe('cpu')
    expect(plan.warnings[0]).toMatch(/^This server uses the CPU because the NVIDIA RTX 5090 is newer/)
  })

  it('warns of other programs on the GPU, and names the other GPUs', () => {
    const lines = '0, NVIDIA A100, 81920, 9000, 550.1, 8.0\n1, NVIDIA A100, 81920, 81000, 550.1, 8.0'
    expect(planServer(model, machine(lines), {}).warnings).toEqual([
      expect.stringContaining('--device cuda:1'),
      expect.stringMatching(/Other programs use .* of the NVIDIA A100/),
    ])
  })
})

it('reads the output of nvidia-smi, and ignores its error messages', () => {
  expect(gpus(`${rtx3090}\n\n`)).toEqual([
    expect.objectContaining({ index: 0, name: 'NVIDIA GeForce RTX 3090', computeCapability: 8.6 }),
  ])
  expect(gpus('NVIDIA-SMI has failed because it could not communicate with the driver')).toEqual([])
})

describe('CUDA_VISIBLE_DEVICES', () => {
  const two =
    '0, NVIDIA A100, 81920, 81000, 550.1, 8.0, GPU-aaaa-1\n1, NVIDIA H100, 81920, 81000, 550.1, 9.0, GPU-bbbb-2'
  const visible = (value: string | undefined) =>
    visibleGpus(gpus(two), value).map(({ index, name }) => [index, name])

  it('hides GPUs, and renumbers the others as CUDA does', () => {
    expect(visible(undefined)).toEqual([
      [0, 'NVIDIA A100'],
      [1, 'NVIDIA H100'],
    ])
    expect(visible('1')).toEqual([[0, 'NVIDIA H100']])
    expect(visible('1,0')).toEqual([
      [0, 'NVIDIA H100'],
      [1, 'NVIDIA A100'],
    ])
    expect(visible('GPU-bb')).toEqual([[0, 'NVIDIA H100']])
  })

  it('hides everything from the first unknown entry on', () => {
    expect(visible('')).toEqual([])
    expect(visible('-1,0')).toEqual([])
    expect(visible('0,7,1')).toEqual([[0, 'NVIDIA A100']])
  })

  it('decides which GPU a server gets', () => {
    const hidden = { ...machine(two), gpus: visibleGpus(gpus(two), '1') }
    expect(planServer(model, hidden, {})).toMatchObject({ device: 'cuda:0', gpu: { name: 'NVIDIA H100' } })
    const none = { ...machine(two), gpus: visibleGpus(gpus(two), '') }
    expect(() => planServer(model, none, { device: 'cuda' })).toThrow(/CUDA_VISIBLE_DEVICES/)
  })
})
