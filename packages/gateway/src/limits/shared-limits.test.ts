import { once } from 'node:events'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestGateway } from '../fixtures/test-gateway.ts'
import { startValkey, type TestValkey } from './fixtures/valkey.ts'

let valkey: TestValkey

beforeAll(async () => {
  valkey = await startValkey()
})

afterAll(() => valkey[Symbol.asyncDispose]())

it('two gateways share the limits of a client, and both go on when their Valkey is lost', async () => {
  const limits = { perAddress: { requestsPerMinute: 1_000 }, store: { url: valkey.url } }
  await using one = createTestGateway({ config: { limits } })
  await using two = createTestGateway({ config: { limits } })
  const send = async ({ app }: typeof one) => {
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 })
    const headers = { 'content-type': 'application/json' }
    const response = await app.request('/v1/chat/completions', { method: 'POST', headers, body })
    expect(response.status).toBe(200)
    return Number(response.headers.get('x-ratelimit-remaining-requests'))
  }
  // Each is connected once it sees what the other has counted.
  await expect.poll(async () => (await send(one)) === (await send(two)) + 1).toBe(true)
  const before = await send(one)
  expect([await send(two), await send(one)]).toEqual([before - 1, before - 2])
  valkey.process.kill('SIGKILL')
  await once(valkey.process, 'exit')
  // Each goes on from what it has last seen, and sees the other no more.
  const last = await send(one)
  expect([await send(one), await send(two), await send(one)]).toEqual([last - 1, before - 2, last - 2])
})
