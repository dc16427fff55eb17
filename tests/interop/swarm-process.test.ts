import OpenAI from 'openai'
import type { SwarmStatus } from '@petals-chat/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { petalsChat } from '../e2e/support/petals-chat.ts'
import { connectLegacy } from '../e2e/support/websocket.ts'
import { testAnswersInForm } from './support/answers-in-form.ts'
import { testLostServers } from './support/lost-servers.ts'
import { model, newTokens, prompt, SwarmProcess } from './support/swarm-process.ts'

let started: SwarmProcess
const running = (): SwarmProcess => started

beforeAll(async () => {
  started = await SwarmProcess.start()
})
afterAll(() => started?.[Symbol.asyncDispose]())

describe('a model of a swarm, served by the whole process', () => {
  it('answers /v1/completions as transformers does, streamed or not', async () => {
    const client = new OpenAI({ baseURL: `${running().server.url}/v1`, apiKey: 'unused' })
    const request = { model, prompt, temperature: 0, max_tokens: newTokens } as const
    const whole = await client.completions.create(request)
    expect(whole.choices[0]!.text).toBe(running().expected)

    let streamed = ''
    for await (const chunk of await client.completions.create({ ...request, stream: true })) {
      streamed += chunk.choices[0]?.text ?? ''
    }
    expect(streamed).toBe(running().expected)
  })

  it('answers the HTTP API of the original', async () => {
    const response = await fetch(`${running().server.url}/api/v1/generate`, {
      method: 'POST',
      body: new URLSearchParams({ model, inputs: `<s>${prompt}`, max_new_tokens: String(newTokens) }),
    })
    expect(await response.json()).toEqual({ ok: true, outputs: running().expected })
  })

  it('answers the WebSocket API of the original token by token, and reports the route', async () => {
    using client = await connectLegacy(running().server.url)
    client.send({ type: 'open_inference_session', model, max_length: 128 })
    expect(await client.receive()).toEqual({ ok: true })
    client.send({
      type: 'generate',
      inputs: `<s>${prompt}`,
      max_new_tokens: 1,
      stop_sequence: running().expected.slice(-12),
      petals: { route: true },
    })
    let text = ''
    for (;;) {
      const message = await client.receive()
      expect(message).toMatchObject({ ok: true })
      text += message!.outputs!
      if (!message!.stop) continue
      expect(message).toMatchObject({ petals: { route: { failovers: [] } } })
      break
    }
    expect(text).toBe(running().expected)
  })

  it('reports on request which servers an answer used, and logs it', async () => {
    const response = await fetch(`${running().server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'x-request-id': 'which-way' },
      body: JSON.stringify({
        model,
        messages: [{ role: 'user', content: 'Hi' }],
        max_tokens: 4,
        petals: { route: true },
      }),
    })
    const { petals } = (await response.json()) as {
      petals: { route: { hops: { start: number; end: number; peer: string }[] } }
    }
    const { hops } = petals.route
    expect(hops.map(({ start, end }) => [start, end])).toEqual([
      [0, 3],
      [3, 6],
    ])
    for (const { peer } of hops) expect(running().swarm.servers.map(({ peerId }) => peerId)).toContain(peer)
    const logged = running()
      .server.output()
      .split('\n')
      .find((line) => line.includes('answered by the swarm') && line.includes('which-way'))
    expect(logged).toContain(`(…${hops[0]!.peer.slice(-6)}) => 3:6 via`)
  })

  it('measures each span', async () => {
    const metrics = await (await fetch(`${running().server.url}/metrics`)).text()
    for (const span of ['0:3', '3:6']) {
      expect(metrics).toMatch(
        new RegExp(`petals_span_step_seconds_count\\{[^}]*span="${span}"[^}]*\\} [1-9]`),
      )
      expect(metrics).toMatch(
        new RegExp(`petals_span_bytes_total\\{[^}]*span="${span}",direction="received"\\} [1-9]`),
      )
      expect(metrics).toMatch(
        new RegExp(`petals_round_trip_seconds_count\\{[^}]*span="${span}"[^}]*\\} [1-9]`),
      )
    }
  })

  it('chats in the terminal', async () => {
    const { stdout, stderr, code } = await petalsChat(
      ['chat', ...running().args, '-t', '0', '-n', '12', prompt],
      {
        env: running().environment,
      },
    )
    expect([code, stderr]).toEqual([0, expect.stringContaining('Connecting to the swarm') as string])
    expect(stdout.trim().split(/\s+/).length).toBeGreaterThan(3)
  })

  it('shows the swarm, in the terminal and as JSON', async () => {
    const shown = await petalsChat(['swarm', 'status', ...running().args], { env: running().environment })
    expect(shown).toMatchObject({ code: 0, stderr: '' })
    expect(shown.stdout).toContain('✓ every block has a server')
    expect(shown.stdout).toMatch(/\n {2}0 222222\n/)
    for (const { peerId } of running().swarm.servers)
      expect(shown.stdout).toMatch(new RegExp(`\\(…${peerId.slice(-6)}\\) .* ms .* online\\n`))

    const json = await petalsChat(['swarm', 'status', '--json', ...running().args], {
      env: running().environment,
    })
    const [seen] = (JSON.parse(json.stdout) as SwarmStatus).models
    const [served] = (await running().readSwarm()).models
    for (const status of [seen, served]) {
      expect(status).toMatchObject({
        id: model,
        dhtPrefix: running().swarm.dhtPrefix,
        blocks: 6,
        replicas: [2, 2, 2, 2, 2, 2],
        servable: true,
        initialPeers: running().swarm.initialPeers,
      })
      expect(status!.servers.map(({ peer }) => peer).toSorted()).toEqual(
        running()
          .swarm.servers.map(({ peerId }) => peerId)
          .toSorted(),
      )
    }
  })

  it('lists the models that a swarm serves if no model is named', async () => {
    const { stdout, code } = await petalsChat(['swarm', 'status', '--json', '--swarm', running().args[1]!], {
      env: running().environment,
    })
    expect([code, (JSON.parse(stdout) as SwarmStatus).models[0]]).toMatchObject([
      0,
      { id: running().swarm.dhtPrefix, blocks: 6, servable: true },
    ])
  })
})

testAnswersInForm(running)

testLostServers(running)
