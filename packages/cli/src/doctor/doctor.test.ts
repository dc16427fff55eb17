import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import type { SwarmModelStatus } from '@petals-chat/engine'
import { upstreamModelSchema } from '@petals-chat/upstream/config'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problem.ts'
import { createStore } from '../runtime.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { ok, runChecks, type CheckContext } from './check.ts'
import { checkLoaded } from './config-check.ts'
import { describeGpus, describeProcessor } from './engine-checks.ts'
import { describePip } from './hub-checks.ts'
import { checkFolder, checkMemory, checkNodeVersion } from './machine-checks.ts'
import { checkPort } from './server-checks.ts'
import { describeSwarm, swarmCheck } from './swarm-check.ts'
import { upstreamCheck } from './upstream-check.ts'

const gigabyte = 1e9

describe('checks of the machine', () => {
  it('detect an outdated Node', () => {
    expect(checkNodeVersion('20.19.0').advice).toContain('22.12')
  })

  it('detect too little memory', () => {
    expect(checkMemory(0.5 * gigabyte, 2 * gigabyte).status).toBe('failure')
    expect(checkMemory(2 * gigabyte, 4 * gigabyte)).toMatchObject({
      status: 'ok',
      message: '2.0 GB of memory free, 4.0 GB in total',
    })
    expect(checkMemory(16 * gigabyte, 16 * gigabyte).advice).toBeUndefined()
  })

  it('check the folder that would be created, and leave nothing behind', async () => {
    await using folder = await temporaryFolder()
    const wanted = path.join(folder.path, 'a', 'b')
    expect(await checkFolder(wanted, 'cache')).toMatchObject({
      message: expect.stringContaining(`cache ${wanted}: `) as string,
    })
    expect(await checkFolder(wanted, 'cache')).not.toMatchObject({ status: 'failure' })
    const file = await folder.write('file', '')
    expect(await checkFolder(path.join(file, 'below'), 'cache')).toMatchObject({ status: 'failure' })
  })

  it('name what limits the cores', () => {
    const cpu = { installed: true, detail: '' }
    expect(
      describeProcessor({ cores: { available: 2, installed: 8, limitedBy: 'cgroup' }, cpu }).message,
    ).toBe("2 of 8 (limited by the container's CPU limit) cores for local models")
    const missing = { installed: false, detail: 'Run npm ci.' }
    expect(describeProcessor({ cores: { available: 8, installed: 8 }, cpu: missing })).toMatchObject({
      status: 'failure',
      advice: 'Run npm ci.',
    })
  })

  it('say when CUDA would help, and which command adds it', () => {
    const card = { name: 'cuda', possible: true, installed: false, detail: 'no library' } as const
    expect(describeGpus({ gpus: [card], command: 'npm run add-cuda' }, 'auto')).toMatchObject({
      status: 'warning',
      advice: expect.stringContaining('npm run add-cuda') as string,
    })
    expect(describeGpus({ gpus: [card] }, 'cuda').status).toBe('failure')
    expect(describeGpus({ gpus: [{ ...card, installed: true }] }, 'cuda').status).toBe('ok')
    expect(describeGpus({ gpus: [{ ...card, possible: false }] }, 'off').status).toBe('ok')
  })

  it('require pip only if the Hub does not answer', () => {
    expect(describePip(undefined, false).status).toBe('ok')
    expect(describePip(undefined, true).status).toBe('failure')
    expect(describePip('pip 25', true).status).toBe('ok')
  })
})

describe('the check of the port', () => {
  it('accepts a free one', async () => {
    expect(await checkPort({ host: '127.0.0.1', port: 0 })).toMatchObject({ status: 'ok' })
  })

  it('detects another program on it', async () => {
    await using server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    expect(await checkPort({ host: '127.0.0.1', port })).toEqual({
      status: 'failure',
      message: `port ${port} on 127.0.0.1 is in use by another program`,
      advice: `Choose another one: --port ${port + 1}`,
    })
  })

  it('recognizes a running petals-chat', async () => {
    await using server = createHttpServer((_, response) =>
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ status: 'ok', version: '1.0.0' })),
    ).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    expect(await checkPort({ host: '127.0.0.1', port })).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('petals-chat') as string,
    })
  })
})

describe('the check of the swarm', () => {
  const seen = { id: 'a', reachable: true, servable: true } as SwarmModelStatus

  it('uses no network if no model belongs to a swarm', async () => {
    const { config } = await loadConfig({
      workingDirectory: '.',
      environment: {},
      flags: {},
      ignoreFile: true,
    })
    expect(await swarmCheck.run({ config } as CheckContext)).toEqual(
      ok('not used: no model is one of a swarm'),
    )
  })

  it('reports that no peer can be reached, and what to do', async () => {
    const loaded = await loadConfig({
      workingDirectory: '.',
      environment: {},
      flags: {
        swarm: ['/ip4/127.0.0.1/tcp/1/p2p/QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY'],
        model: ['petals:hf:o/r'],
      },
      ignoreFile: true,
    })
    const result = await swarmCheck.run({ ...loaded, store: createStore(loaded), environment: {} })
    expect(result).toMatchObject({ status: 'failure', message: "the swarm can't be reached" })
    expect(result.advice).toMatch(
      /^The swarm can't be reached: its only .*ECONNREFUSED.*firewall or a VPN[^\n]*$/,
    )
  })

  it('distinguishes models that can answer from those that lack blocks', () => {
    expect(describeSwarm([seen])).toMatchObject({ status: 'ok', message: 'every block of a has a server' })
    expect(describeSwarm([seen, { ...seen, id: 'b', servable: false }])).toMatchObject({
      status: 'warning',
      message: 'b lacks blocks',
    })
    const unreachable = { ...seen, reachable: false, servable: false, problem: 'It is down.' }
    expect(describeSwarm([unreachable, { ...unreachable, id: 'b' }])).toEqual({
      status: 'failure',
      message: "the swarm can't be reached",
      advice: 'It is down.',
    })
    expect(
      describeSwarm([{ ...seen, servable: false, problem: 'There is no such repository.' }]),
    ).toMatchObject({
      status: 'failure',
      advice: 'a: There is no such repository.',
    })
  })
})

describe('runChecks', () => {
  it('keeps the order of the checks, and continues after one that throws', async () => {
    const checks = [
      {
        name: 'slow',
        run: () => new Promise<ReturnType<typeof ok>>((resolve) => setTimeout(() => resolve(ok('slow')), 20)),
      },
      { name: 'broken', run: () => Promise.reject(new Error('it broke')) },
      { name: 'quick', run: () => Promise.resolve(ok('quick')) },
    ]
    const results = await runChecks(checks, {} as CheckContext)
    expect(results.map(({ message }) => message)).toEqual(['slow', 'the check failed: it broke', 'quick'])
    expect(results[1]!.status).toBe('failure')
  })
})

describe('the check of the configuration', () => {
  it('lists its mistakes', () => {
    const problem = {
      origin: { kind: 'flag', name: '--port' },
      path: ['server', 'port'],
      message: 'no.',
    } as const
    expect(checkLoaded(new ConfigError([problem]))).toMatchObject({
      status: 'failure',
      advice: '--port: server.port: no.',
    })
  })
})

describe('the check of other servers', () => {
  const check = (models: readonly object[]) =>
    upstreamCheck.run({ config: { models } } as unknown as CheckContext)
  const entry = (port: number, model: string) =>
    upstreamModelSchema.parse({
      id: 'big',
      engine: 'upstream',
      baseUrl: `http://127.0.0.1:${port}/v1`,
      model,
    })

  it('finds one that answers, one without the model, one that is not there, and none', async () => {
    const server = createHttpServer(({ url = '' }, response) =>
      url.startsWith('/v1/') ? response.end('{"data":[{"id":"m"}]}') : response.writeHead(404).end(),
    )
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    expect(await check([entry(port, 'm')])).toEqual(ok('the servers of big answer'))
    expect(await check([entry(port, 'n')])).toMatchObject({
      status: 'warning',
      advice: expect.stringContaining("does not list the model 'n', but m") as string,
    })
    const lacking = upstreamModelSchema.parse({
      id: 'big',
      engine: 'upstream',
      baseUrl: `http://127.0.0.1:${port}`,
      models: 'auto',
    })
    expect(await check([lacking])).toMatchObject({
      status: 'warning',
      advice: expect.stringMatching(
        /^big: The server .* has no list of models at .*\/models \(status 404\); baseUrl mostly ends in \/v1\./,
      ) as string,
    })
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    expect(await check([entry(port, 'm')])).toMatchObject({
      status: 'failure',
      advice: expect.stringContaining('nothing listens at that address') as string,
    })
    expect(await check([])).toMatchObject({ status: 'ok' })
  })
})
