import { describe, expect, it } from 'vitest'
import { describeExit } from './failure.ts'
import { readLogLine, type ServerEvent } from './log-reader.ts'
import { serverArguments } from './server-arguments.ts'
import { serverEnvironment } from './server-environment.ts'
import { initialState, restarted, withEvent } from './server-state.ts'

const base = { model: 'org/llama', swarm: 'public', port: 31_337, identityPath: '/id' } as const

describe('serverArguments', () => {
  it('joins the public swarm on all addresses, and lets Petals choose the blocks', () => {
    expect(serverArguments(base)).toEqual([
      ...['org/llama', '--identity_path', '/id'],
      ...['--host_maddrs', '/ip4/0.0.0.0/tcp/31337', '/ip6/::/tcp/31337'],
    ])
  })

  it('passes all settings on', () => {
    const args = serverArguments({
      ...base,
      swarm: ['/ip4/10.1.2.3/tcp/1/p2p/QmA', '/ip4/10.1.2.4/tcp/1/p2p/QmB'],
      revision: 'v2',
      dhtPrefix: 'llama-hf',
      blocks: { start: 4, end: 8 },
      adapters: ['org/a', 'org/b'],
      quantization: 'int8',
      dtype: 'bfloat16',
      device: 'cuda:1',
      host: '::1',
      reach: { kind: 'announced', addresses: ['/ip4/203.0.113.7/tcp/31337'] },
      publicName: 'my gaming PC',
      cacheTokens: 4096,
      extra: ['--step_timeout', '5'],
    }).join(' ')
    for (const words of [
      '--initial_peers /ip4/10.1.2.3/tcp/1/p2p/QmA /ip4/10.1.2.4/tcp/1/p2p/QmB',
      '--host_maddrs /ip6/::1/tcp/31337',
      '--announce_maddrs /ip4/203.0.113.7/tcp/31337',
      '--block_indices 4:8',
      '--revision v2',
      '--dht_prefix llama-hf',
      '--quant_type int8',
      '--torch_dtype bfloat16',
      '--device cuda:1',
      '--public_name my gaming PC',
      '--attn_cache_tokens 4096',
      '--adapters org/a org/b',
      '--step_timeout 5',
    ])
      expect(args).toContain(words)
  })

  it('starts a swarm, takes a number of blocks, and supports each way through a NAT', () => {
    expect(serverArguments({ ...base, swarm: 'new', blocks: 3 }).join(' ')).toMatch(
      /--new_swarm .*--num_blocks 3/,
    )
    expect(serverArguments({ ...base, reach: { kind: 'direct' } })).toContain('--no_auto_relay')
    const relay = '/ip4/10.1.2.3/tcp/1/p2p/QmA'
    const args = serverArguments({ ...base, reach: { kind: 'relay', address: relay } })
    expect(args[0]).toBe('--p2p')
    expect(JSON.parse(args[1]!)).toMatchObject({ no_listen: true, trusted_relays: [relay] })
    expect(args.join(' ')).toContain(`--announce_maddrs ${relay}/p2p-circuit`)
  })

  it('opens no port in the router for a server that only this machine can reach', () => {
    for (const host of ['127.0.0.1', '127.0.0.2', '::1']) {
      const [flag, options] = serverArguments({ ...base, host })
      expect([flag, JSON.parse(options!)]).toEqual(['--p2p', { nat_port_map: false }])
    }
    for (const host of ['0.0.0.0', '10.0.0.1', undefined])
      expect(serverArguments({ ...base, ...(host && { host }) })).not.toContain('--p2p')
  })
})

describe('serverEnvironment', () => {
  const environment = { PATH: '/bin', HF_TOKEN: 'hf_secret', XDG_CACHE_HOME: '/c' }

  it('turns telemetry off, and passes the token only to a server that downloads from the Hub', () => {
    const remote = serverEnvironment(base, { isLocal: false, hub: { token: 'hf_secret' }, environment })
    expect(remote).toMatchObject({
      HF_HUB_DISABLE_TELEMETRY: '1',
      DO_NOT_TRACK: '1',
      HUGGING_FACE_HUB_TOKEN: 'hf_secret',
      PETALS_CACHE: '/c/petals',
    })
    expect(serverArguments(base).join(' ')).not.toContain('hf_secret')
    const local = serverEnvironment(
      { ...base, swarm: 'new' },
      { isLocal: true, hub: { token: 'hf_secret' }, environment },
    )
    expect(Object.values(local)).not.toContain('hf_secret')
    expect(local).toMatchObject({ HF_HUB_OFFLINE: '1', PETALS_CHAT_SPEED_TEST: '0' })
  })

  it('numbers GPUs in the order of nvidia-smi, by which the device was chosen', () => {
    expect(serverEnvironment(base, { isLocal: true, environment })).toHaveProperty(
      'CUDA_DEVICE_ORDER',
      'PCI_BUS_ID',
    )
  })

  it('uses the mirror of the configuration, if there is one', () => {
    const hub = { endpoint: 'https://mirror.example', offline: true }
    expect(serverEnvironment(base, { isLocal: false, hub, environment })).toMatchObject({
      HF_ENDPOINT: 'https://mirror.example',
      HF_HUB_OFFLINE: '1',
    })
    expect(serverEnvironment(base, { isLocal: false, environment })).not.toHaveProperty('HF_HUB_OFFLINE')
  })
})

describe('readLogLine', () => {
  it.each<readonly [string, ServerEvent | undefined]>([
    [
      "Nov 28 09:14:11.123 [INFO] Running a server on ['/ip4/10.0.0.2/tcp/31337/p2p/QmA', '/ip6/::1/tcp/1/p2p/QmA']",
      { kind: 'addresses', addresses: ['/ip4/10.0.0.2/tcp/31337/p2p/QmA', '/ip6/::1/tcp/1/p2p/QmA'] },
    ],
    [
      '[INFO] Announced that blocks range(0, 3) are joining',
      { kind: 'blocks', blocks: { start: 0, end: 3 } },
    ],
    ['[INFO] Announced that blocks [5, 3, 4] are joining', { kind: 'blocks', blocks: { start: 3, end: 6 } }],
    ['[INFO] Loaded org/llama block 5', { kind: 'loaded', block: 5 }],
    [
      '[INFO] Reporting throughput: 12.3 tokens/sec for 5 blocks',
      { kind: 'throughput', tokensPerSecond: 12.3 },
    ],
    ['\u001b[1mNov 28 \u001b[0m[INFO] Started', { kind: 'started' }],
    [
      'model-00001-of-00015.safetensors:  42%|████   | 4.2G/9.9G',
      { kind: 'download', file: 'model-00001-of-00015.safetensors', percent: 42 },
    ],
    ['@petals-chat {"prompt": 7, "generated": 1}', { kind: 'tokens', prompt: 7, generated: 1 }],
    ['@petals-chat {"session": -1}', { kind: 'session', change: -1 }],
    ['@petals-chat {broken}', undefined],
    ['[INFO] rpc_inference.open(blocks=0:3, remote_peer=...abc)', undefined],
  ])('reads %j', (line, event) => {
    expect(readLogLine(line)).toEqual(event)
  })
})

it('keeps the token count over a restart', () => {
  const events: readonly ServerEvent[] = [
    { kind: 'blocks', blocks: { start: 0, end: 2 } },
    { kind: 'loaded', block: 0 },
    { kind: 'started' },
    { kind: 'session', change: 1 },
    { kind: 'tokens', prompt: 5, generated: 2 },
  ]
  const state = events.reduce(withEvent, initialState)
  expect(state).toMatchObject({
    phase: 'serving',
    loaded: 1,
    sessions: 1,
    allSessions: 1,
    prompt: 5,
    generated: 2,
  })
  expect(restarted(state)).toMatchObject({
    phase: 'starting',
    sessions: 0,
    allSessions: 1,
    prompt: 5,
    generated: 2,
  })
})

describe('describeExit', () => {
  const after = (...lastLines: readonly string[]) => describeExit({ code: 1, signal: null, lastLines })

  it.each([
    [
      'torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB',
      /GPU's memory is full.*--blocks/,
      false,
    ],
    [
      'RuntimeError: CUDA error: no kernel image is available for execution on the device',
      /can't use this GPU.*--device cpu/,
      false,
    ],
    ['AssertionError: Torch not compiled with CUDA enabled', /can't use this GPU/, false],
    [
      'AssertionError: Your GPU does not have enough memory to serve at least one block',
      /does not hold a single block/,
      false,
    ],
    ['listen tcp4 0.0.0.0:31337: bind: address already in use', /port is used.*--port/, false],
    [
      'OSError: You are trying to access a gated repo.\nMake sure to request access',
      /gated.*HF_TOKEN/,
      false,
    ],
    ['huggingface_hub.utils._errors.RepositoryNotFoundError: 404 Client Error.', /no such model/, false],
    [
      'requests.exceptions.ConnectionError: (MaxRetryError("Max retries exceeded with url"))',
      /can't be downloaded.*network/,
      true,
    ],
    ['OSError: [Errno 28] No space left on device', /disk is full/, false],
    [
      'hivemind.p2p.p2p_daemon_bindings.utils.P2PDaemonError: Daemon failed to start: failed to connect to bootstrap peers',
      /No peer of the swarm/,
      true,
    ],
    ['ValidationError: local time must be within 3 seconds of others', /clock/, false],
    ['RuntimeError: Server has not become reachable from the Internet:', /--public-ip/, false],
    ["ModuleNotFoundError: No module named 'petals'", /environment is damaged/, false],
    ["KeyError: 'mixtral'", /does not support this kind of model/, false],
  ] as const)('explains %j', (line, explanation, passing) => {
    const failure = after('Traceback (most recent call last):', '  File "x.py", line 1', line)
    expect(failure.message).toMatch(explanation)
    expect(failure.message).not.toMatch(/Traceback|File "/)
    expect(failure).toMatchObject({ passing, known: true })
  })

  it('attributes a kill by the system to a lack of memory, and quotes the last line of an unknown failure', () => {
    expect(describeExit({ code: null, signal: 'SIGKILL', lastLines: [] }).message).toMatch(/memory was full/)
    expect(after('Traceback', 'ValueError: odd').message).toBe(
      'The server ended with exit code 1: ValueError: odd',
    )
    expect(after('ValueError: odd').known).toBe(false)
  })
})
