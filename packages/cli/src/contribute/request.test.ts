import { describe, expect, it } from 'vitest'
import { readContributeFlags } from './request.ts'

describe('readContributeFlags', () => {
  it('requests nothing if no flag is given', () => {
    expect(readContributeFlags({})).toMatchObject({
      startsSwarm: false,
      blocks: undefined,
      adapters: [],
      port: undefined,
      reach: { kind: 'auto' },
      isDryRun: false,
    })
  })

  it.each([
    [{ blocks: '12' }, { blocks: 12 }],
    [{ blocks: '4:8' }, { blocks: { start: 4, end: 8 } }],
    [{ blocks: 'auto' }, { blocks: undefined }],
    [{ engine: 'python' }, { engine: 'python' }],
    [{ memory: '1.5GB' }, { memoryBytes: 1.5e9 }],
    [{ memory: '512 MiB' }, { memoryBytes: 2 ** 29 }],
    [{ threads: '3' }, { threads: 3 }],
    [{ networkSpeed: '50Mbit' }, { networkBps: 50e6 }],
    [{ networkSpeed: '1.5 gbit' }, { networkBps: 1.5e9 }],
    [{ swarm: ['new'] }, { startsSwarm: true }],
    [{ adapters: 'org/a,org/b' }, { adapters: ['org/a', 'org/b'] }],
    [{ quantization: 'NF4' }, { quantization: 'nf4' }],
    [{ port: '0' }, { port: 0 }],
    [
      { publicIp: '203.0.113.7', port: '31337' },
      { reach: { kind: 'announced', addresses: ['/ip4/203.0.113.7/tcp/31337'] } },
    ],
    [
      { announce: '/dns4/gpu.example.org/tcp/31337' },
      { reach: { kind: 'announced', addresses: ['/dns4/gpu.example.org/tcp/31337'] } },
    ],
    [{ relay: 'off' }, { reach: { kind: 'direct' } }],
    [
      { relay: '/ip4/203.0.113.7/tcp/1/p2p/QmA' },
      { reach: { kind: 'relay', address: '/ip4/203.0.113.7/tcp/1/p2p/QmA' } },
    ],
  ])('reads %j', (flags, request) => {
    expect(readContributeFlags(flags)).toMatchObject(request)
  })

  it.each([
    [{ blocks: '8:4' }, /--blocks: '8:4' .* auto, how many, such as 12, or which, such as 4:8/],
    [{ blocks: '0' }, /--blocks/],
    [{ blocks: '1.5' }, /--blocks/],
    [{ swarm: ['new,/ip4/1.2.3.4/tcp/1/p2p/QmA'] }, /--swarm/],
    [{ adapters: './lora' }, /--adapters: '\.\/lora' .* owner\/lora/],
    [{ quantization: 'gptq' }, /--quantization: 'gptq' .* none, q8_0, q4_k, int8, nf4/],
    [{ engine: 'rust' }, /--engine: 'rust' .* native, python/],
    [{ memory: '8' }, /--memory: '8' .* such as 8GB/],
    [{ memory: '0GB' }, /--memory/],
    [{ threads: '0' }, /--threads/],
    [{ networkSpeed: '50' }, /--network-speed: '50' .* such as 50Mbit/],
    [{ networkSpeed: '50MB' }, /--network-speed/],
    [{ dtype: 'int4' }, /--dtype/],
    [{ port: '70000' }, /--port/],
    [{ port: '' }, /--port/],
    [{ cacheTokens: '-1' }, /--cache-tokens/],
    [{ dhtPrefix: 'a.b' }, /--dht-prefix .*without dots|--dht-prefix: 'a\.b'/],
    [{ publicIp: '203.0.113.7' }, /--public-ip needs --port/],
    [{ publicIp: 'my-host', port: '1' }, /--public-ip: 'my-host'/],
    [{ announce: '203.0.113.7:31337' }, /--announce/],
    [{ relay: '/ip4/1.2.3.4/tcp/1' }, /--relay/],
    [{ relay: 'off', publicIp: '1.2.3.4', port: '1' }, /--public-ip and --relay exclude each other/],
  ])('refuses %j with an explanation', (flags, words) => {
    expect(() => readContributeFlags(flags)).toThrow(words)
  })
})
