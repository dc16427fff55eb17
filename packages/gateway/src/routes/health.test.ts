import { type Logger, ModelUnavailableError } from '@petals-chat/engine'
import { expect, it } from 'vitest'
import { createTestGateway, readJson } from '../fixtures/test-gateway.ts'

const READINESS = ['/health', '/ready', '/readyz']

it('is alive and ready', async () => {
  await using test = createTestGateway()
  for (const path of ['/healthz', ...READINESS]) {
    const response = await test.app.request(path)
    expect(response.status).toBe(200)
    expect(await readJson(response)).toEqual({ status: 'ok', version: '1.2.3' })
  }
})

it('is alive but not ready while the default model is being loaded', async () => {
  const loaded = Promise.withResolvers<void>()
  await using test = createTestGateway({
    beforeLoad: (_spec, { onProgress }) => {
      onProgress?.({ phase: 'download', label: 'model.gguf', done: 45, total: 90, unit: 'bytes' })
      return loaded.promise
    },
  })
  const answer = test.app.request('/api/v1/generate?inputs=a&max_new_tokens=1')
  expect((await test.app.request('/healthz')).status).toBe(200)
  for (const path of READINESS) {
    const response = await test.app.request(path)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('10')
    expect((await readJson(response)).error).toMatchObject({
      code: 'model_unavailable',
      message: "The model 'test' is being loaded (model.gguf, 50 %).",
    })
  }
  loaded.resolve()
  expect((await answer).status).toBe(200)
  expect((await test.app.request('/ready')).status).toBe(200)
})

it('is ready but degraded while a step of the default model is overdue', async () => {
  let overdue = false
  const detail = 'The process of /srv/models/a.gguf has not answered for 3 s.'
  const status = () => (overdue ? ({ state: 'degraded', detail } as const) : ({ state: 'ready' } as const))
  await using test = createTestGateway({ status })
  await test.app.request('/api/v1/generate?inputs=a&max_new_tokens=1')
  expect(await readJson(await test.app.request('/ready'))).toEqual({ status: 'ok', version: '1.2.3' })
  overdue = true
  expect(await readJson(await test.app.request('/ready'))).toEqual({
    status: 'degraded',
    detail: 'The process of a.gguf has not answered for 3 s.',
    version: '1.2.3',
  })
})

it('is not ready when the default model could not be loaded, and says why', async () => {
  await using test = createTestGateway({
    beforeLoad: () => {
      throw new ModelUnavailableError('The file model.gguf is missing. Download it.')
    },
  })
  await test.app.request('/api/v1/generate?inputs=a&max_new_tokens=1')
  const response = await test.app.request('/ready')
  expect(response.status).toBe(503)
  expect((await readJson(response)).error.message).toContain('model.gguf is missing')
})

it('warns of nothing while it is asked again and again', async () => {
  const records: { level: string; fields: object; message: string }[] = []
  const recorder: Logger = {
    debug: (fields, message) => records.push({ level: 'debug', fields, message }),
    info: () => {},
    warn: (fields, message) => records.push({ level: 'warn', fields, message }),
    error: (fields, message) => records.push({ level: 'error', fields, message }),
    child: () => recorder,
  }
  const loaded = Promise.withResolvers<void>()
  const loading = Promise.withResolvers<void>()
  await using test = createTestGateway({
    logger: recorder,
    beforeLoad: () => {
      loading.resolve()
      return loaded.promise
    },
  })
  const answer = test.app.request('/api/v1/generate?inputs=a&max_new_tokens=1')
  await loading.promise
  expect((await test.app.request('/ready')).status).toBe(503)
  expect(records.filter(({ level }) => level !== 'debug')).toEqual([])
  const fields = { path: '/ready', reason: "The model 'test' is being loaded." }
  expect(records).toContainEqual({ level: 'debug', fields, message: 'not ready' })
  loaded.resolve()
  await answer
})
