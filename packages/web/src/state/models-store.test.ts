import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiError } from '../api/errors.ts'
import { testModel } from '../testing/test-page.ts'
import { createModelsStore } from './models-store.ts'

beforeEach(() => void vi.useFakeTimers({ now: 0 }))
afterEach(() => void vi.useRealTimers())

function pageOf() {
  const server = { isThere: true, asked: 0 }
  const models = createModelsStore({
    fetchModels: () => {
      server.asked += 1
      return server.isThere
        ? Promise.resolve([testModel])
        : Promise.reject(new ApiError({ kind: 'network', message: '' }))
    },
  })
  return { server, models }
}

describe('a server that can no longer be reached', () => {
  it('leaves its models with unknown state, and is asked again at a published time', async () => {
    const { server, models } = pageOf()
    models.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(models.get()).toMatchObject({ status: 'ready', models: [{ state: { name: 'ready' } }] })
    server.isThere = false
    await models.refresh()
    expect(models.get()).toMatchObject({
      status: 'failed',
      models: [{ id: testModel.id, state: { name: 'unknown' } }],
      retryAt: 2000,
    })
    await vi.advanceTimersByTimeAsync(2000)
    expect(models.get().retryAt).toBe(2000 + 4000)
    await vi.advanceTimersByTimeAsync(600_000)
    expect(models.get().retryAt! - Date.now()).toBeLessThanOrEqual(30_000)
  })

  it('and returns is found automatically, or at once on request', async () => {
    const { server, models } = pageOf()
    server.isThere = false
    models.start()
    await vi.advanceTimersByTimeAsync(5000)
    expect(models.get().status).toBe('failed')
    server.isThere = true
    await vi.advanceTimersByTimeAsync(30_000)
    expect(models.get()).toMatchObject({ status: 'ready', retryAt: undefined, error: undefined })
    server.isThere = false
    await models.refresh()
    server.isThere = true
    await models.refresh()
    expect(models.get()).toMatchObject({ status: 'ready', models: [{ state: { name: 'ready' } }] })
    // The intervals begin again.
    server.isThere = false
    await models.refresh()
    expect(models.get().retryAt).toBe(Date.now() + 2000)
  })
})
