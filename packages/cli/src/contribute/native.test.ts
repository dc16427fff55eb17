import type { BlockServerStatus } from '@petals-chat/blocks'
import type { GpuBackend } from '@petals-chat/llama'
import { describe, expect, it } from 'vitest'
import { chooseEngine } from './choose-engine.ts'
import { chooseNativeDevice } from './native-device.ts'
import { nativePrefix } from './native-model.ts'
import { nativeServingWords } from './native-words.ts'
import { readContributeFlags } from './request.ts'

const model = { isGguf: false, spec: undefined }

describe('chooseEngine', () => {
  it.each([
    [{}, model, 'native'],
    [{ quantization: 'q4_k', memory: '8GB' }, model, 'native'],
    [{ engine: 'python' }, model, 'python'],
    [{ quantization: 'nf4' }, model, 'python'],
    [{ adapters: 'org/lora' }, model, 'python'],
    [{ environment: 'folder' }, model, 'python'],
    [{}, { isGguf: true, spec: undefined }, 'native'],
  ])('%j of %j: %s', (flags, of, engine) => {
    const choice = chooseEngine(readContributeFlags(flags), of)
    expect(choice.engine).toBe(engine)
    // Who did not ask for Python is told why it is used.
    expect(choice.reason === undefined).toBe(engine === 'native' || 'engine' in flags)
  })

  it.each([
    [{ engine: 'native', quantization: 'nf4' }, model, /--engine native is not possible here\. .*q8_0, q4_k/],
    [{ engine: 'python', threads: '2' }, model, /--engine python is not possible here\. --threads/],
    [{ adapters: 'org/lora' }, { isGguf: true, spec: undefined }, /needs Python.*, but a GGUF file needs/],
  ])('refuses %j of %j', (flags, of, words) => {
    expect(() => chooseEngine(readContributeFlags(flags), of)).toThrow(words)
  })
})

describe('chooseNativeDevice', () => {
  const gpu = {
    index: 0,
    name: 'RTX 4090',
    totalBytes: 24e9,
    freeBytes: 20e9,
    driver: '550',
    computeCapability: 8.9,
    uuid: '',
  }
  const cuda: GpuBackend = { name: 'cuda', possible: true, installed: true, detail: 'all is there' }
  const vulkan: GpuBackend = { name: 'vulkan', possible: true, installed: true, detail: '' }
  const facts = {
    machine: { gpus: [gpu, { ...gpu, index: 1 }], freeMemoryBytes: 8e9 },
    backends: [cuda, vulkan],
    environment: {},
  }

  it('takes the first GPU whose libraries are there, and plans with its memory', () => {
    expect(chooseNativeDevice(undefined, facts)).toMatchObject({ kind: 'cuda', memoryBytes: 18e9 })
    const none = { ...facts, machine: { gpus: [], freeMemoryBytes: 8e9 }, backends: [vulkan] }
    expect(chooseNativeDevice('auto', none)).toMatchObject({ kind: 'cpu', warnings: [] })
    expect(chooseNativeDevice('cpu', facts)).toMatchObject({ kind: 'cpu', memoryBytes: undefined })
  })

  it('says what would make a GPU usable', () => {
    const backends = [{ ...cuda, installed: false, detail: 'Run npm run add-cuda.' }]
    expect(chooseNativeDevice(undefined, { ...facts, backends })).toMatchObject({
      kind: 'cpu',
      warnings: ['Run npm run add-cuda.'],
    })
    expect(() => chooseNativeDevice('cuda', { ...facts, backends })).toThrow(
      /can't be used: Run npm run add-cuda/,
    )
    expect(() => chooseNativeDevice('metal', facts)).toThrow(/does not offer it on this system/)
    expect(() => chooseNativeDevice('cuda:2', facts)).toThrow(/no GPU 2 .* finds 2/)
    expect(() => chooseNativeDevice('metal:1', facts)).toThrow(/--device: 'metal:1'/)
  })

  it('shows another GPU than the first alone to the process that computes', () => {
    expect(chooseNativeDevice('cuda:1', facts).visibleDevices).toBe('1')
    const environment = { CUDA_VISIBLE_DEVICES: 'GPU-a,GPU-b' }
    expect(chooseNativeDevice('cuda:1', { ...facts, environment }).visibleDevices).toBe('GPU-b')
    expect(chooseNativeDevice('cuda', facts).visibleDevices).toBeUndefined()
  })
})

describe('nativePrefix', () => {
  const of = (place: string, isGguf = true) => ({
    name: place,
    model: place,
    isLocal: true,
    revision: undefined,
    source: { type: 'local' as const, path: place },
    isGguf,
    spec: undefined,
  })

  it.each([
    ['/a/SmolLM2-135M-Instruct.Q4_1.gguf', 'llama', 'SmolLM2-135M-Instruct-hf'],
    ['/a/Llama-3.1-70B-Q4_K_M-00001-of-00003.gguf', 'llama', 'Llama-3-1-70B-hf'],
    ['/a/falcon-7b.IQ3_XS.gguf', 'falcon', 'falcon-7b'],
    ['/a/qwen3 8B-bf16.gguf', 'qwen3', 'qwen3-8B'],
  ])('names %s of the family %s as Petals names its repository: %s', (place, family, prefix) => {
    expect(nativePrefix(of(place), family, undefined)).toBe(prefix)
    expect(nativePrefix(of(place), family, 'mine')).toBe('mine')
  })

  it('derives the name of a repository of the Hub', () => {
    const source = { type: 'hub' as const, repo: 'org/Llama-3', revision: 'main' }
    expect(nativePrefix({ ...of('org/Llama-3', false), isLocal: false, source }, 'llama', undefined)).toBe(
      'Llama-3-hf',
    )
  })
})

describe('nativeServingWords', () => {
  const status = {
    state: 'online',
    peer: 'QmOwn',
    addresses: [],
    usesRelay: false,
    blocks: { start: 4, end: 8 },
    cacheTokensLeft: 100,
    activity: { sessions: 0, tokens: 1234, tokensPerSecond: 2.34, users: [] },
    publicNames: new Map([['12D3KooWlab', 'lab\u001B[2J']]),
    load: { connections: 0, streams: 0, requestBytes: 0 },
  } as unknown as BlockServerStatus

  it('says what the server holds and has done, and who uses it', () => {
    expect(nativeServingWords(status, 32, 61)).toBe(
      'Serving blocks 4-7 of 32 · 0 sessions · 1,234 tokens served · 2.3 tokens/s · up 1 min 01 s',
    )
    const users = ['12D3KooWlab', '12D3KooWabcdef', 'a123456', 'b123456', 'c123456'].map((peer) => ({
      peer,
      sessions: 1,
      tokens: 1,
    }))
    const busy = {
      ...status,
      activity: { ...status.activity, sessions: 5, users },
    } as unknown as BlockServerStatus
    expect(nativeServingWords(busy, 32, 1)).toMatch(/ · used by lab \[2J, …abcdef, …123456 and 2 more · up/)
  })
})
