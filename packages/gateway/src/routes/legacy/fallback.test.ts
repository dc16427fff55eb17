import { legacyResponseSchema } from '@petals-chat/api'
import { ModelUnavailableError } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { absence as reason, AbsentSwarm } from '../../fixtures/absent-swarm.ts'
import { V2Client, type Message } from '../../fixtures/v2-client.ts'

let swarm: AbsentSwarm
let url: string
beforeEach(async () => {
  swarm = new AbsentSwarm()
  ;({ url } = await swarm.gateway.listen())
})
afterEach(() => swarm[Symbol.asyncDispose]())

const told = { model: 'local', petals: { fallback: { model: 'swarm', reason } } }
const question = { inputs: 'Hi', max_new_tokens: 3 }

describe('/api/v1/generate of a model that is away', () => {
  const generate = async (params: Readonly<Record<string, unknown>>): Promise<Message> => {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify(params)
    return (await fetch(`${url}/api/v1/generate`, { method: 'POST', headers, body })).json()
  }

  it('is answered by its fallback, and says so', async () => {
    const answer = await generate({ ...question, model: 'swarm' })
    expect(answer).toEqual({ ok: true, outputs: 'Som', ...told })
    expect(legacyResponseSchema.parse(answer)).toEqual(answer)
  })

  it('is answered by the model itself, without a word of a fallback, once it is back', async () => {
    swarm.beforeAnswer = async () => {}
    expect(await generate({ ...question, model: 'swarm' })).toEqual({ ok: true, outputs: 'Som' })
  })

  it('fails without a fallback', async () => {
    expect(await generate({ ...question, model: 'alone' })).toEqual({ ok: false, traceback: reason })
  })

  it('fails with both reasons if the fallback refuses the request', async () => {
    const inputs = 'x'.repeat(100_000)
    swarm.beforeLoad = () => {
      throw new ModelUnavailableError('The swarm can not be joined.')
    }
    expect(await generate({ ...question, inputs, model: 'swarm' })).toEqual({
      ok: false,
      traceback: expect.stringMatching(
        /^The swarm can not be joined\. The model 'local' stands in for it, but can't answer/,
      ) as string,
    })
  })
})

describe('a session of /api/v2/generate whose model is away', () => {
  const rest = { max_new_tokens: 1, stop_sequence: '.' }
  const answerOf = (messages: readonly Message[]) => messages.map(({ outputs }) => outputs).join('')

  it('is answered by its fallback, which the first and the last part of each answer name', async () => {
    using client = await new V2Client(url).open()
    expect(await client.startSession(100, { model: 'swarm' })).toEqual({ ok: true })
    for (const inputs of ['Hi', ' And?']) {
      const parts = await client.generate({ inputs, ...rest })
      expect(answerOf(parts)).toBe('Some words.')
      expect(parts.map(({ model }) => model)).toEqual([
        'local',
        ...parts.slice(2).map(() => undefined),
        'local',
      ])
      expect(parts[0]).toMatchObject(told)
      expect(parts.at(-1)).toMatchObject(told)
    }
  })

  it('is answered by its fallback from the message on at which the model went away, with all that was said', async () => {
    swarm.beforeAnswer = async () => {}
    using client = await new V2Client(url).open()
    await client.startSession(100, { model: 'swarm' })
    const first = await client.generate({ inputs: 'Hi', ...rest })
    expect(first.some((part) => 'model' in part || 'petals' in part)).toBe(false)
    swarm.beforeAnswer = async () => swarm.fail()
    const second = await client.generate({ inputs: ' And?', ...rest })
    expect(second[0]).toMatchObject(told)
    expect(swarm.asked).toEqual(['HiSome words. And?'])
  })

  it('is answered by its fallback, too, if the model can not be loaded', async () => {
    swarm.beforeLoad = () => {
      throw new ModelUnavailableError(reason)
    }
    using client = await new V2Client(url).open()
    expect(await client.startSession(100, { model: 'swarm' })).toEqual({ ok: true })
    expect((await client.generate({ inputs: 'Hi', ...rest }))[0]).toMatchObject(told)
  })

  it('fails if it has begun to answer, and without a fallback', async () => {
    swarm.breaksAfter = 3
    swarm.beforeAnswer = async () => {}
    using begun = await new V2Client(url).open()
    await begun.startSession(100, { model: 'swarm' })
    const parts = await begun.generate({ inputs: 'Hi', ...rest })
    expect(answerOf(parts.slice(0, -1))).toBe('Som')
    expect(parts.at(-1)).toEqual({ ok: false, traceback: reason })
    using alone = await new V2Client(url).open()
    swarm.beforeAnswer = async () => swarm.fail()
    await alone.startSession(100, { model: 'alone' })
    expect(await alone.generate({ inputs: 'Hi', ...rest })).toEqual([{ ok: false, traceback: reason }])
  })
})
