import { readFile } from 'node:fs/promises'
import { formatModelSource } from '@petals-chat/engine'
import { defaultModel } from '@petals-chat/hub'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { temporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { loadConfig, type LoadConfigOptions } from './load.ts'
import { ConfigError, formatOrigin, formatProblem } from './problem.ts'
import type { LocalModelEntry } from './schema.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

type Options = Partial<Pick<LoadConfigOptions, 'environment' | 'flags'>>

const load = ({ environment = {}, flags = {} }: Options = {}) =>
  loadConfig({ workingDirectory: folder.path, environment, flags })

async function mistakes(yaml: string, options?: Options): Promise<readonly string[]> {
  await folder.write('petals-chat.yaml', yaml)
  const error: unknown = await load(options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error === undefined) return []
  expect(error).toBeInstanceOf(ConfigError)
  return (error as ConfigError).problems.map(formatProblem)
}

describe('loadConfig', () => {
  it('uses its defaults if nothing is configured', async () => {
    const { config, file, origin } = await load()
    expect(file).toBeUndefined()
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 5000 })
    expect(config.models.map(({ id }) => id)).toEqual([defaultModel.id])
    expect(origin(['server', 'port'])).toEqual({ kind: 'default' })
  })

  it('prefers flags to variables, variables to the file, and the file to defaults', async () => {
    await folder.write('petals-chat.yaml', 'server: { port: 1001, host: localhost }\nlog:\n  level: warn\n')
    const environment = { PETALS_CHAT_PORT: '1002', PETALS_CHAT_LOG_LEVEL: 'error' }
    const { config, origin } = await load({ environment, flags: { port: '1003' } })
    expect(config.server.port).toBe(1003)
    expect(config.log.level).toBe('error')
    expect(config.server.host).toBe('localhost')
    expect(config.log.format).toBe('auto')

    const places = [
      ['server', 'port'],
      ['log', 'level'],
      ['server', 'host'],
      ['log', 'format'],
    ].map((path) => formatOrigin(origin(path)))
    expect(places).toEqual(['--port', 'PETALS_CHAT_LOG_LEVEL', 'petals-chat.yaml:1:29', 'default'])
  })

  it('takes trusted names one by one as flags, or together in a variable', async () => {
    const { config } = await load({ flags: { trustedHost: ['chat.example.org', 'box'], basePath: '/chat' } })
    expect(config.server).toMatchObject({ trustedHosts: ['chat.example.org', 'box'], basePath: '/chat' })
    const environment = { PETALS_CHAT_TRUSTED_HOSTS: 'a.example, b.example' }
    expect((await load({ environment })).config.server.trustedHosts).toEqual(['a.example', 'b.example'])
  })

  it('treats an empty variable as not set', async () => {
    const { config } = await load({ environment: { PETALS_CHAT_PORT: '', PETALS_CHAT_CONFIG: '' } })
    expect(config.server.port).toBe(5000)
  })

  it('respects the variables of the Hugging Face Hub, and its own --offline before them', async () => {
    await folder.write('petals-chat.yaml', 'hub: { endpoint: https://file.example, token: from-the-file }\n')
    const environment = { HF_ENDPOINT: 'https://mirror.example', HF_TOKEN: 'hf_x', HF_HUB_OFFLINE: '1' }
    const { config, origin } = await load({ environment: { ...environment, PETALS_CHAT_OFFLINE: 'no' } })
    expect(config.hub).toMatchObject({ endpoint: 'https://mirror.example', token: 'hf_x', offline: false })
    expect(formatOrigin(origin(['hub', 'endpoint']))).toBe('HF_ENDPOINT')
    expect(formatOrigin(origin(['hub', 'offline']))).toBe('PETALS_CHAT_OFFLINE')
  })

  it('reads the file that --config names, relative to the working directory', async () => {
    await folder.write('other.yaml', 'server: { port: 4 }')
    const { config, file, baseFolder } = await load({ flags: { config: 'other.yaml' } })
    expect(config.server.port).toBe(4)
    expect(file).toMatch(/other\.yaml$/)
    expect(baseFolder).toBe(folder.path)
  })

  it('reports a missing file, a folder, and a file that is not text', async () => {
    const failure = (config: string) => load({ flags: { config } }).catch((error: unknown) => String(error))
    expect(await failure('none.yaml')).toMatch(/--config: there is no file .*none\.yaml/)
    expect(await failure('.')).toMatch(/--config: .* is a folder/)
    await folder.write('bytes.yaml', Uint8Array.of(0xff, 0xfe, 0x00))
    expect(await failure('bytes.yaml')).toContain('not UTF-8')
    await folder.write('long.yaml', '['.repeat(3_000_000))
    expect(await failure('long.yaml')).toMatch(/long\.yaml is no configuration: it has more than 256 kB/)
    if (process.platform === 'linux') expect(await failure('/dev/zero')).toContain('more than 256 kB')
  })

  it('puts secrets of the environment in place of ${NAME}, and keeps them out of messages', async () => {
    await folder.write('petals-chat.yaml', 'hub:\n  token: ${TOKEN}\n  retries: ${N}\n  cacheDir: "${N}"\n')
    const { config } = await load({ environment: { TOKEN: '12345', N: '3' } })
    expect(config.hub).toMatchObject({ token: '12345', retries: 3, cacheDir: '3' })

    const [problem] = await mistakes('hub:\n  retries: ${SECRET}\n', { environment: { SECRET: 'hush' } })
    expect(problem).toContain("petals-chat.yaml:2:12: hub.retries: the value of '${SECRET}' is not allowed")
    expect(problem).not.toContain('hush')
    expect(await mistakes('hub: { token: [hush] }')).toEqual([
      'petals-chat.yaml:1:15: hub.token: a list is not allowed; it must be text that is not empty.',
    ])
  })

  it('keeps the password of an address that is refused out of messages', async () => {
    for (const login of ['me:hush', ':hush', 'hush', 'me:a/b@hush']) {
      const [problem, ...others] = await mistakes(
        `server: { limits: { store: { url: 'redis://${login}@127.0.0.1:6379' } } }`,
      )
      expect(problem).toMatch(/: 'redis:\/\/…@127\.0\.0\.1:6379' is not allowed: must be a URL without user/)
      expect(others).toEqual([])
    }
    const upstream = (url: string) => `models: [{ id: a, engine: upstream, baseUrl: '${url}' }]`
    for (const url of ['htps://me:hush@example.org/v1', 'me:hush@example.org/v1'])
      expect((await mistakes(upstream(url))).join()).toMatch(
        /^(?!.*hush).*…@example\.org\/v1' is not allowed: must/,
      )
    expect((await mistakes(`server: { trustedHosts: ['ada@example.org'] }`)).join()).toContain(
      "'ada@example.org' is not allowed",
    )
  })

  it('reports all mistakes at once, each with its place', async () => {
    const yaml = [
      'server:',
      '  prot: 5000',
      '  port: 70000',
      'log:',
      '  level: inof',
      'port: 3',
      'hub:',
      '  offline: maybe',
      '  token: ${NOT_SET}',
      'models:',
      '  - id: a',
      '    engine: lama',
      '    source: htp://x',
      '  - id: b',
      '    engine: llama',
      '    max_session_length: 5',
      '    generation: {top_p: 2, temprature: 3}',
    ].join('\n')
    const found = await mistakes(yaml, {
      environment: { PETALS_CHAT_GPU: 'nvidia' },
      flags: { threads: 'x' },
    })
    const begins = [
      "PETALS_CHAT_GPU: llama.gpu: 'nvidia' is not allowed; it must be one of: auto, off, cuda, vulkan, metal.",
      "--threads: llama.threads: 'x' is not allowed; it must be a whole number",
      "petals-chat.yaml:2:3: server.prot: there is no such key. Did you mean 'port'?",
      'petals-chat.yaml:3:9: server.port: 70000 is not allowed; it must be a whole number from 0 to 65535.',
      "petals-chat.yaml:5:10: log.level: 'inof' is not allowed; it must be one of: debug, info, warn, error, silent. Did you mean 'info'?",
      "petals-chat.yaml:6:1: port: there is no such key. Did you mean 'server.port'?",
      "petals-chat.yaml:8:12: hub.offline: 'maybe' is not allowed; it must be true or false.",
      'petals-chat.yaml:9:10: hub.token: the environment variable NOT_SET is not set.',
      "petals-chat.yaml:12:13: models[0].engine: 'lama' is not allowed; it must be one of: llama, petals, upstream. Did you mean 'llama'?",
      "petals-chat.yaml:13:13: models[0].source: The model source 'htp://x' can't be read",
      'petals-chat.yaml:14:5: models[1].source: this key is missing',
      "petals-chat.yaml:16:5: models[1].max_session_length: there is no such key. Did you mean 'maxSessionLength'?",
      'petals-chat.yaml:17:25: models[1].generation.top_p: 2 is not allowed; it must be a number, more than 0 and at most 1.',
      "petals-chat.yaml:17:28: models[1].generation.temprature: there is no such key. Did you mean 'temperature'?",
    ]
    expect(found.map((problem, index) => problem.slice(0, begins[index]?.length))).toEqual(begins)
  })

  it('finds repeated names, and keys that the engine would ignore', async () => {
    const yaml = [
      'models:',
      '  - { id: a, aliases: [b], engine: llama, source: ./a.gguf }',
      '  - { id: b, engine: llama, source: ./b.gguf, adapter: x/y }',
    ].join('\n')
    expect(await mistakes(yaml)).toEqual([
      "petals-chat.yaml:3:11: models[1].id: the name 'b' is already used. Each id and alias may be used only once.",
      'petals-chat.yaml:3:47: models[1].adapter: only entries with engine: petals can have this key.',
    ])
  })

  it('treats sections that are empty, or only have comments, as absent', async () => {
    expect(await mistakes('server:\n  cors:\n    # legacy: ["*"]\nmodels:\n# - id: a\n')).toEqual([])
    expect(await mistakes('')).toEqual([])
    expect(await mistakes('models: []')).toEqual([
      expect.stringContaining('models: an empty list is not allowed; it must be a list that is not empty'),
    ])
    expect(await mistakes('server: { port: }')).toEqual([
      'petals-chat.yaml:1:17: server.port: an empty value is not allowed; it must be a whole number from 0 to 65535.',
    ])
  })

  it('reports a variable that is not set once, and a section that is not a mapping although a flag sets a key in it', async () => {
    expect(await mistakes('server: { port: "${NONE}" }')).toEqual([
      expect.stringContaining('the environment variable NONE is not set'),
    ])
    expect(await mistakes('server: 5', { flags: { port: '1' } })).toEqual([
      expect.stringMatching(/^petals-chat\.yaml:1:9: server: 5 is not allowed; it must be a mapping/),
    ])
    for (const yaml of ['server: 5', 'server:\n  - host: 0.0.0.0', 'server: { access: off }'])
      for (const options of [{ environment: { XDG_DATA_HOME: '/data' } }, { flags: { keys: 'off' } }])
        expect(await mistakes(yaml, options)).toEqual([expect.stringContaining('it must be a mapping')])
  })

  it('reads a file of the first version as it was meant, and names each key of a newer one with its line', async () => {
    const file = new URL('./fixtures/first-version.yaml', import.meta.url)
    const text = await readFile(file, 'utf8')
    expect(await mistakes(text)).toEqual([])
    const written = parse(text) as Readonly<Record<string, object>>
    const { config } = await load()
    for (const section of ['server', 'llama', 'log'] as const)
      expect(config[section]).toMatchObject(written[section]!)
    expect(config.models).toMatchObject([
      { id: 'local', publicApi: false },
      { id: 'swarm', dhtPrefix: 'large-hf' },
    ])
    expect(await mistakes(`${text}future: {}\n`)).toEqual([
      expect.stringMatching(/^petals-chat\.yaml:\d+:1: future: there is no such key/),
    ])
  })

  it('refuses a list or a text as configuration', async () => {
    expect(await mistakes('- server')).toEqual([
      'petals-chat.yaml:1:1: the file must be a mapping of sections: preload, unloadAfterMs, server, models, llama, swarm, tools, hub, log.',
    ])
  })

  it('reports no problem that a broken line may have caused', async () => {
    const found = await mistakes('server: { prot: 1 }\nlog: [\nmodels:\n  - id: a\n')
    expect(found[0]).toContain('petals-chat.yaml:1:11: server.prot: there is no such key')
    expect(found.slice(1).every((problem) => problem.includes('not valid YAML'))).toBe(true)
  })

  it('lets entries share values by anchors', async () => {
    await folder.write(
      'petals-chat.yaml',
      'models:\n- &a { id: a, engine: llama, source: ./a.gguf, family: F }\n- { <<: *a, id: b }\n',
    )
    const { config } = await load()
    expect(config.models[1]).toMatchObject({ id: 'b', source: { path: './a.gguf' }, family: 'F' })
  })

  it('warns about variables that have no effect, except those that Kubernetes generates', async () => {
    const environment = {
      PETALS_CHAT_PROT: '1',
      PETALS_CHAT_SERVICE_HOST: '10.0.0.1',
      PETALS_CHAT_PORT_80_TCP: 'tcp://10.0.0.1:80',
      PETALS_CHAT_PORT: 'tcp://10.0.0.1:80',
    }
    const { config, warnings } = await load({ environment })
    expect(config.server.port).toBe(5000)
    expect(warnings.map(formatProblem)).toEqual([
      'PETALS_CHAT_PROT: this variable is not known and has no effect. Did you mean PETALS_CHAT_PORT?',
    ])
  })
})

describe('--model', () => {
  const ids = async (model: readonly string[], environment = {}) => {
    const { config } = await load({ flags: { model }, environment })
    return config.models.map((model) => [model.id, formatModelSource((model as LocalModelEntry).source)])
  }

  it('replaces the default model if there is no file', async () => {
    expect(await ids(['./some/model.Q4_0.gguf'])).toEqual([
      ['model.Q4_0', `${folder.path}/some/model.Q4_0.gguf`],
    ])
    expect(await ids(['mine=hf:owner/repo:Q4_K_M', 'hf:owner/other'])).toEqual([
      ['mine', 'hf:owner/repo:Q4_K_M'],
      ['owner/other', 'hf:owner/other'],
    ])
    expect(await ids([], { PETALS_CHAT_MODEL: './a.gguf, smollm2' })).toEqual([
      ['a', `${folder.path}/a.gguf`],
      [defaultModel.id, defaultModel.source],
    ])
  })

  it('precedes the models of the file, and puts a configured one first', async () => {
    const entry = (id: string) =>
      `  - { id: ${id}, aliases: [${id}-too], engine: llama, source: ./${id}.gguf }\n`
    await folder.write('petals-chat.yaml', `models:\n${entry('a')}${entry('b')}`)
    expect((await ids(['b-too'])).map(([id]) => id)).toEqual(['b', 'a'])
    expect((await ids(['./c.gguf'])).map(([id]) => id)).toEqual(['c', 'a', 'b'])
  })

  it('refuses text that is neither a name nor a source', async () => {
    expect(await mistakes('', { flags: { model: ['smolm'] } })).toEqual([
      expect.stringMatching(
        /^--model: 'smolm' is not a configured model \(configured: SmolLM2-135M-Instruct\)/,
      ),
    ])
    expect(await mistakes('', { flags: { model: ['hf:nothing'] } })).toEqual([
      expect.stringMatching(/^--model: The model source 'hf:nothing' can't be read/),
    ])
  })
})

describe('--swarm and --dht-prefix', () => {
  const peers = [
    '/ip4/127.0.0.1/tcp/31337/p2p/QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY',
    '/dnsaddr/swarm.example',
  ]
  const model = ['petals:./SmolLM2']

  it('name a swarm and a model of it without a file', async () => {
    const { config } = await load({ flags: { swarm: peers, model, dhtPrefix: 'SmolLM2-hf' } })
    expect(config.swarm.initialPeers).toEqual(peers)
    expect(config.models).toMatchObject([
      {
        id: 'SmolLM2',
        engine: 'petals',
        source: { path: `${folder.path}/SmolLM2` },
        dhtPrefix: 'SmolLM2-hf',
      },
    ])
  })

  it('can come from the environment', async () => {
    const environment = {
      PETALS_CHAT_SWARM: peers.join(', '),
      PETALS_CHAT_MODEL: model[0]!,
      PETALS_CHAT_DHT_PREFIX: 'SmolLM2-hf',
    }
    const { config, origin } = await load({ environment })
    expect(config).toMatchObject({ swarm: { initialPeers: peers }, models: [{ dhtPrefix: 'SmolLM2-hf' }] })
    expect(formatOrigin(origin(['swarm', 'initialPeers']))).toBe('PETALS_CHAT_SWARM')
    expect(
      (await load({ flags: { swarm: ['public'] }, environment })).config.swarm.initialPeers[0],
    ).toContain('bootstrap1.petals.dev')
  })

  it('apply the prefix to a model of the file, too', async () => {
    await folder.write('petals-chat.yaml', 'models: [{ id: a, engine: petals, source: ./a }]')
    const { config } = await load({ flags: { model: ['a'], dhtPrefix: 'a-hf' } })
    expect(config.models).toMatchObject([{ id: 'a', dhtPrefix: 'a-hf' }])
  })

  it.each([
    [
      [...model, 'petals:hf:o/r'],
      'x',
      '--dht-prefix: it applies to a single --model petals:SOURCE, and there are several.',
    ],
    [['./a.gguf'], 'x', '--dht-prefix: it applies to a single --model petals:SOURCE, and there is none.'],
    [
      model,
      'Llama-3.1',
      "--dht-prefix: 'Llama-3.1' is not allowed; it must be a prefix without dots and spaces.",
    ],
  ])('refuse a prefix that belongs to no model: %j %s', async (models, dhtPrefix, words) => {
    const [problem, ...more] = await mistakes('', { flags: { model: models, dhtPrefix } })
    expect([problem?.slice(0, words.length), more]).toEqual([words, []])
  })

  it('keep API keys in the data home, unless the file or a variable names another place', async () => {
    const environment = { XDG_DATA_HOME: '/var/data' }
    const fileOf = async (more = {}) =>
      (await load({ environment: { ...environment, ...more } })).config.server.access.file
    expect(await fileOf()).toBe('/var/data/petals-chat/access.sqlite')
    expect(await fileOf({ PETALS_CHAT_KEYS_FILE: '/keys' })).toBe('/keys')
    await folder.write('petals-chat.yaml', 'server: { access: { file: ./keys.sqlite } }')
    expect(await fileOf()).toBe('./keys.sqlite')
  })

  it('keep LM heads in the cache home, unless the file names a folder', async () => {
    const environment = { XDG_CACHE_HOME: '/var/cache' }
    expect((await load({ environment })).config.swarm.cacheDir).toBe('/var/cache/petals-chat/swarm')
    await folder.write('petals-chat.yaml', 'swarm: { cacheDir: ./heads }')
    expect((await load({ environment })).config.swarm.cacheDir).toBe('./heads')
  })
})
