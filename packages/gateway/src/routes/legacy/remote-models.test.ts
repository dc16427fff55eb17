import { expect, it } from 'vitest'
import { V2Client } from '../../fixtures/v2-client.ts'
import { startGateway, TestRemote } from '../../generation/remote/fixtures/test-remote.ts'

const refusal = expect.stringMatching(
  /^Another server runs the model 'big', and only that server has its tokens: this call is not supported for it\. Use /,
) as string

it('the APIs of the original say that a model of another server can not be used there', async () => {
  const big = new TestRemote('big')
  await using gateway = startGateway([big])
  const { url } = await gateway.listen()
  using client = await new V2Client(url).open()
  expect(await client.startSession(100, { model: 'big' })).toEqual({ ok: false, traceback: refusal })
  expect(await client.next()).toBeUndefined()
  const body = new URLSearchParams({ model: 'big', inputs: 'Hi', max_new_tokens: '3' })
  const response = await fetch(`${url}/api/v1/generate`, { method: 'POST', body })
  expect(await response.json()).toEqual({ ok: false, traceback: refusal })
  expect(big.asked).toEqual([])
})
