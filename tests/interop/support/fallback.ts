import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startPetalsChat, type PetalsChat } from '../../e2e/support/petals-chat.ts'
import { connectLegacy } from '../../e2e/support/websocket.ts'
import { defaultModelPath } from '../../support/model.ts'
import { model, type SwarmProcess } from './swarm-process.ts'

/** Declares tests on a swarm without servers for its first blocks. */
export function testFallback(running: () => SwarmProcess): void {
  describe('with a fallback in the configuration', () => {
    let fallback: PetalsChat
    beforeAll(async () => {
      const [, ...others] = running().swarm.servers
      const file = path.join(running().cacheHome, 'fallback.yaml')
      const models = [
        {
          id: model,
          engine: 'petals',
          source: running().swarm.modelFolder,
          dhtPrefix: running().swarm.dhtPrefix,
          fallback: 'local',
        },
        { id: 'local', engine: 'llama', source: await defaultModelPath() },
      ]
      const initialPeers = others.map(({ multiaddr }) => multiaddr)
      const config = {
        swarm: { initialPeers, waitTimeoutMs: 1000 },
        server: { sessions: { maxPerModel: 1 } },
        models,
      }
      await writeFile(file, JSON.stringify(config))
      fallback = await startPetalsChat({
        args: ['--config', file],
        env: { ...running().environment, PETALS_CHAT_OFFLINE: '1' },
        untilReady: false,
      })
    })
    afterAll(() => fallback?.[Symbol.asyncDispose]())

    const post = (target: string, body: object) =>
      fetch(`${fallback.url}${target}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model, ...body }),
      })
    const messages = [{ role: 'user', content: 'Hi' }]

    it.each([
      ['/v1/chat/completions', { messages, max_tokens: 3 }],
      ['/v1/completions', { prompt: 'Hi', max_tokens: 3 }],
      ['/v1/messages', { messages, max_tokens: 3 }],
      ['/v1/responses', { input: 'Hi', max_output_tokens: 16 }],
      ['/api/chat', { messages, stream: false, options: { num_predict: 3 } }],
      ['/api/generate', { prompt: 'Hi', stream: false, options: { num_predict: 3 } }],
      ['/api/v1/generate', { inputs: 'Hi', max_new_tokens: 3 }],
    ])('is answered by it on %s, which says so', async (target, body) => {
      const response = await post(target, body)
      expect(await response.json()).toMatchObject({ model: 'local' })
      expect(response.status).toBe(200)
    })

    it('is answered by it on the WebSocket of the original, which says so and why', async () => {
      using client = await connectLegacy(fallback.url)
      client.send({ type: 'open_inference_session', model, max_length: 64 })
      expect(await client.receive()).toEqual({ ok: true })
      client.send({ type: 'generate', inputs: 'Hi', max_new_tokens: 3 })
      expect(await client.receive()).toMatchObject({
        ok: true,
        stop: true,
        model: 'local',
        petals: { fallback: { model, reason: expect.stringContaining('blocks 0-2') as string } },
      })
    })

    it('tells a stream its place in the queue, in a comment and an event', async () => {
      const ask = async (tokens: number) =>
        post('/v1/chat/completions', {
          ...{ model: 'local', messages, max_tokens: tokens, stream: true, ignore_eos: true },
          petals: { route: true },
        })
      const first = await ask(100)
      const second = await (await ask(2)).text()
      expect(await first.text()).toContain('data: [DONE]')
      expect(second).toMatch(/^: waiting in the queue, place 1\ndata: \{.*"petals":\{"queue":\{"place":1\}\}/)
      expect(second).toContain('"petals":{"queue":null}')
      expect(second).toContain('data: [DONE]')
    })
  })
}
