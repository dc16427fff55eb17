import { swarmStatusSchema } from '@petals-chat/api'
import type { SwarmView } from '@petals-chat/engine'
import { describe, expect, it, vi } from 'vitest'
import { scriptedSwarmModel } from '../fixtures/scripted-swarm-model.ts'
import { createTestGateway, readJson } from '../fixtures/test-gateway.ts'

describe('GET /api/v1/swarm', () => {
  it('has no models without a swarm engine', async () => {
    await using gateway = createTestGateway()
    const response = await gateway.app.request('/api/v1/swarm')
    expect([response.status, await response.json()]).toEqual([200, { models: [] }])
  })

  it('shows what the swarm looks like, without loading a model', async () => {
    const status = vi.fn<SwarmView['status']>(async () => ({ models: [scriptedSwarmModel] }))
    await using gateway = createTestGateway({ swarm: { status } })
    const response = await gateway.app.request('/api/v1/swarm')
    expect(response.headers.get('cache-control')).toBe('no-store')
    const body = await readJson(response)
    expect(swarmStatusSchema.parse(body)).toEqual(body)
    expect(body.models[0]).toMatchObject({ id: 'test', replicas: [1, 1, 1, 0], missingBlocks: [3] })
    expect(body.models[0].servers[0]).toEqual(scriptedSwarmModel.servers[0])
    expect(body.models[0].servers[1]).toMatchObject({ rttMs: null, bannedForMs: 15_000 })
    expect(body.models[0].servers[0]).not.toHaveProperty('verdict')
    expect(body.models[0].servers[1].verdict).toEqual(scriptedSwarmModel.servers[1]!.verdict)
    expect(body.models[0].join).toEqual(scriptedSwarmModel.join)
    expect(body.models[0].servers[1]).not.toHaveProperty('version')
    expect(status).toHaveBeenCalledExactlyOnceWith({ signal: expect.any(AbortSignal) as AbortSignal })
    expect(gateway.engine.loads).toBe(0)
  })

  it('has the history of the swarm since the server started', async () => {
    const status: SwarmView['status'] = () => Promise.resolve({ models: [scriptedSwarmModel] })
    await using gateway = createTestGateway({ swarm: { status } })
    expect((await readJson(await gateway.app.request('/api/v1/swarm'))).models[0].history).toEqual([])
    await gateway.listen()
    await new Promise((resolve) => setTimeout(resolve))
    const body = await readJson(await gateway.app.request('/api/v1/swarm'))
    expect(swarmStatusSchema.parse(body)).toEqual(body)
    expect(body.models[0].history).toEqual([
      { ageMs: expect.any(Number) as number, servers: 2, leastReplicas: 0 },
    ])
  })
})
