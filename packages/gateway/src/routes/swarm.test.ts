import type { SwarmModelStatus, SwarmServerStatus, SwarmView } from '@petals-chat/engine'
import { describe, expect, it, vi } from 'vitest'
import { createTestGateway, readJson } from '../fixtures/test-gateway.ts'
import { swarmStatusSchema } from '../swarm/swarm-schema.ts'

const server: SwarmServerStatus = {
  peer: 'QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5',
  publicName: 'my-gpu',
  state: 'online',
  version: '2.2.0.post1',
  start: 0,
  end: 3,
  throughput: 100.5,
  inferenceRps: 300,
  dtype: 'bfloat16',
  quantization: 'nf4',
  adapters: [],
  usesRelay: false,
  cacheTokensLeft: 8192,
  rttMs: 12.5,
  bannedForMs: 0,
}
const silent: SwarmServerStatus = {
  ...server,
  publicName: undefined,
  version: undefined,
  rttMs: Infinity,
  bannedForMs: 15_000,
}
const model: SwarmModelStatus = {
  id: 'test',
  dhtPrefix: 'Test-hf',
  blocks: 4,
  replicas: [1, 1, 1, 0],
  servable: false,
  missingBlocks: [3],
  bottleneck: { block: 3, replicas: 0, throughput: 0 },
  servers: [server, silent],
  initialPeers: ['/ip4/127.0.0.1/tcp/31337/p2p/QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5'],
  ageMs: 5,
}

describe('GET /api/v1/swarm', () => {
  it('has no models where no engine is of a swarm', async () => {
    await using gateway = createTestGateway()
    const response = await gateway.app.request('/api/v1/swarm')
    expect([response.status, await response.json()]).toEqual([200, { models: [] }])
  })

  it('shows what the swarm looks like, without loading a model', async () => {
    const status = vi.fn<SwarmView['status']>(async () => ({ models: [model] }))
    await using gateway = createTestGateway({ swarm: { status } })
    const response = await gateway.app.request('/api/v1/swarm')
    expect(response.headers.get('cache-control')).toBe('no-store')
    const body = await readJson(response)
    expect(swarmStatusSchema.parse(body)).toEqual(body)
    expect(body.models[0]).toMatchObject({ id: 'test', replicas: [1, 1, 1, 0], missingBlocks: [3] })
    expect(body.models[0].servers[0]).toEqual(server)
    expect(body.models[0].servers[1]).toMatchObject({ rttMs: null, bannedForMs: 15_000 })
    expect(body.models[0].servers[1]).not.toHaveProperty('version')
    expect(status).toHaveBeenCalledExactlyOnceWith({ signal: expect.any(AbortSignal) as AbortSignal })
    expect(gateway.engine.loads).toBe(0)
  })
})
