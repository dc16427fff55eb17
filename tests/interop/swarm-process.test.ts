import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Ajv from 'ajv'
import OpenAI from 'openai'
import type { SwarmStatus } from '@petals-chat/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSwarm, type Swarm } from '../../swarm/swarm.ts'
import { petalsChat, startPetalsChat, type PetalsChat } from '../e2e/support/petals-chat.ts'
import { connectLegacy } from '../e2e/support/websocket.ts'
import { defaultModelPath } from '../support/model.ts'
import { referenceAnswers } from './support/reference.ts'
import { openFolderTokenizer } from './support/folder-tokenizer.ts'

const model = 'stories15M'
const prompt = 'Once upon a time'
const newTokens = 48
const waitingChats = 8

let swarm: Swarm
let server: PetalsChat
let args: readonly string[]
let cacheHome: string
/** The answer of transformers, as text. */
let expected: string

const environment = () => ({ XDG_CACHE_HOME: cacheHome })

beforeAll(async () => {
  swarm = await startSwarm({ model, replicas: 2 })
  cacheHome = await mkdtemp(path.join(tmpdir(), 'petals-chat-swarm-'))
  args = [
    ...['--swarm', swarm.initialPeers.join(',')],
    ...['--model', `petals:${swarm.modelFolder}`, '--dht-prefix', swarm.dhtPrefix],
  ]
  server = await startPetalsChat({ args, env: environment() })
  const { tokenizer } = await openFolderTokenizer(swarm.modelFolder)
  const tokens = tokenizer.encode(prompt, { addSpecialTokens: true })
  const [answer] = await referenceAnswers(model, [tokens], newTokens)
  expected = tokenizer.decode(answer!.ids)
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await swarm?.[Symbol.asyncDispose]()
  await rm(cacheHome, { recursive: true, force: true })
})

const readSwarm = async (): Promise<SwarmStatus> =>
  (await (await fetch(`${server.url}/api/v1/swarm`)).json()) as SwarmStatus

const readModel = async (): Promise<{ readonly state: string; readonly state_detail?: string }> => {
  const body = (await (await fetch(`${server.url}/v1/models`)).json()) as {
    readonly data: readonly { readonly state: string; readonly state_detail?: string }[]
  }
  return body.data[0]!
}

/** Polls as often as the page does; returns after how many seconds it was so. */
async function secondsUntil(isSo: () => Promise<boolean>): Promise<string> {
  const startedAt = performance.now()
  await expect.poll(isSo, { timeout: 60_000, interval: 250 }).toBe(true)
  return ((performance.now() - startedAt) / 1000).toFixed(1)
}

describe('a model of a swarm, served by the whole process', () => {
  it('answers /v1/completions as transformers does, streamed or not', async () => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused' })
    const request = { model, prompt, temperature: 0, max_tokens: newTokens } as const
    const whole = await client.completions.create(request)
    expect(whole.choices[0]!.text).toBe(expected)

    let streamed = ''
    for await (const chunk of await client.completions.create({ ...request, stream: true })) {
      streamed += chunk.choices[0]?.text ?? ''
    }
    expect(streamed).toBe(expected)
  })

  it('answers the HTTP API of the original', async () => {
    const response = await fetch(`${server.url}/api/v1/generate`, {
      method: 'POST',
      body: new URLSearchParams({ model, inputs: `<s>${prompt}`, max_new_tokens: String(newTokens) }),
    })
    expect(await response.json()).toEqual({ ok: true, outputs: expected })
  })

  it('answers the WebSocket API of the original token by token, and reports the route', async () => {
    using client = await connectLegacy(server.url)
    client.send({ type: 'open_inference_session', model, max_length: 128 })
    expect(await client.receive()).toEqual({ ok: true })
    client.send({
      type: 'generate',
      inputs: `<s>${prompt}`,
      max_new_tokens: 1,
      stop_sequence: expected.slice(-12),
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
    expect(text).toBe(expected)
  })

  it('reports on request which servers an answer used, and logs it', async () => {
    const response = await fetch(`${server.url}/v1/chat/completions`, {
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
    for (const { peer } of hops) expect(swarm.servers.map(({ peerId }) => peerId)).toContain(peer)
    const logged = server
      .output()
      .split('\n')
      .find((line) => line.includes('answered by the swarm') && line.includes('which-way'))
    expect(logged).toContain(`(…${hops[0]!.peer.slice(-6)}) => 3:6 via`)
  })

  it('measures each span', async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
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
    const { stdout, stderr, code } = await petalsChat(['chat', ...args, '-t', '0', '-n', '12', prompt], {
      env: environment(),
    })
    expect([code, stderr]).toEqual([0, expect.stringContaining('Connecting to the swarm') as string])
    expect(stdout.trim().split(/\s+/).length).toBeGreaterThan(3)
  })

  it('shows the swarm, in the terminal and as JSON', async () => {
    const shown = await petalsChat(['swarm', 'status', ...args], { env: environment() })
    expect(shown).toMatchObject({ code: 0, stderr: '' })
    expect(shown.stdout).toContain('✓ every block has a server')
    expect(shown.stdout).toMatch(/\n {2}0 222222\n/)
    for (const { peerId } of swarm.servers)
      expect(shown.stdout).toMatch(new RegExp(`\\(…${peerId.slice(-6)}\\) .* ms .* online\\n`))

    const json = await petalsChat(['swarm', 'status', '--json', ...args], { env: environment() })
    const [seen] = (JSON.parse(json.stdout) as SwarmStatus).models
    const [served] = (await readSwarm()).models
    for (const status of [seen, served]) {
      expect(status).toMatchObject({
        id: model,
        dhtPrefix: swarm.dhtPrefix,
        blocks: 6,
        replicas: [2, 2, 2, 2, 2, 2],
        servable: true,
        initialPeers: swarm.initialPeers,
      })
      expect(status!.servers.map(({ peer }) => peer).toSorted()).toEqual(
        swarm.servers.map(({ peerId }) => peerId).toSorted(),
      )
    }
  })

  it('lists the models that a swarm serves if no model is named', async () => {
    const { stdout, code } = await petalsChat(['swarm', 'status', '--json', '--swarm', args[1]!], {
      env: environment(),
    })
    expect([code, (JSON.parse(stdout) as SwarmStatus).models[0]]).toMatchObject([
      0,
      { id: swarm.dhtPrefix, blocks: 6, servable: true },
    ])
  })
})

describe('answers in a given form', () => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'user', content: 'Where do the dragons live?' },
  ]
  const place = {
    type: 'object',
    properties: {
      place: { type: 'string', maxLength: 12 },
      kind: { enum: ['cave', 'castle'] },
      dragons: { type: 'integer', minimum: 1, maximum: 40 },
    },
    required: ['place', 'kind', 'dragons'],
    additionalProperties: false,
  } as const
  // The model's context is short.
  const parameters = { type: 'object', properties: { wings: { enum: [2, 4] } }, required: ['wings'] } as const
  const tools = ['feed', 'wake'].map((name) => ({
    type: 'function' as const,
    function: { name, parameters },
  }))
  const fits = new Ajv()
  const client = (): OpenAI => new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused', maxRetries: 0 })

  it('fit a JSON schema, sampled or not, streamed or not', async () => {
    const request = {
      model,
      messages,
      max_tokens: 120,
      response_format: { type: 'json_schema', json_schema: { name: 'place', strict: true, schema: place } },
    } as const
    const answers = await Promise.all(
      [0, 1.5].map((temperature) => client().chat.completions.create({ ...request, temperature, seed: 4 })),
    )
    let streamed = ''
    for await (const chunk of await client().chat.completions.create({
      ...request,
      temperature: 0,
      stream: true,
    }))
      streamed += chunk.choices[0]?.delta.content ?? ''
    for (const { finish_reason: reason, message } of answers.map(({ choices }) => choices[0]!)) {
      expect([reason, fits.validate(place, JSON.parse(message.content!))]).toEqual(['stop', true])
    }
    expect(streamed).toBe(answers[0]!.choices[0]!.message.content)
  })

  it.each([
    ['required', 'required'],
    ['a function by name', { type: 'function', function: { name: 'wake' } }],
  ] as const)('call a function with tool_choice %s', async (_name, choice) => {
    const request = {
      model,
      messages,
      max_tokens: 120,
      temperature: 0,
      tools,
      tool_choice: choice,
    }
    const { choices } = await client().chat.completions.create(request)
    const [call] = choices[0]!.message.tool_calls!
    expect(choices[0]!.finish_reason).toBe('tool_calls')
    if (call?.type !== 'function') throw new Error('no function is called')
    expect(choice === 'required' ? ['feed', 'wake'] : ['wake']).toContain(call.function.name)
    expect(fits.validate(parameters, JSON.parse(call.function.arguments))).toBe(true)
  })

  it.each<[field: string, value: unknown, form: RegExp]>([
    ['guided_choice', ['red dragon', 'blue dragon'], /^(red|blue) dragon$/],
    ['guided_regex', '[A-Z][a-z]{2,8} has \\d{1,3} teeth', /^[A-Z][a-z]{2,8} has \d{1,3} teeth$/],
    ['grammar', 'root ::= "dragon" ("," [a-z]{3,5}){2} "."', /^dragon(,[a-z]{3,5}){2}\.$/],
  ])('match %s, with log probabilities too', async (field, value, form) => {
    const ask = async (more: object) => {
      const response = await fetch(`${server.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model, messages, max_tokens: 60, temperature: 0, [field]: value, ...more }),
      })
      expect(response.status).toBe(200)
      const { choices } = (await response.json()) as OpenAI.ChatCompletion
      return choices[0]!
    }
    const plain = await ask({})
    const described = await ask({ logprobs: true })
    expect([plain.message.content, plain.finish_reason]).toEqual([expect.stringMatching(form), 'stop'])
    expect(described.message.content).toMatch(form)
    expect(described.logprobs!.content!.map(({ token }) => token).join('')).toBe(described.message.content)
  })

  it('are refused in words where the form would take too much work', async () => {
    const refused = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages, guided_regex: '^(a?){500}a{500}$' }),
    })
    expect([refused.status, await refused.json()]).toMatchObject([
      400,
      { error: { message: expect.stringContaining('work limit') as string } },
    ])
  })
})

describe('a swarm that loses servers', () => {
  const kill = async (index: number): Promise<void> => {
    swarm.servers[index]!.signal('SIGKILL')
    await swarm.servers[index]!.exited
  }

  it('is shown without them, and answers continue', async () => {
    const [first] = swarm.servers
    await kill(0)
    await expect
      .poll(async () => (await readSwarm()).models[0], { timeout: 30_000, interval: 1000 })
      .toMatchObject({ replicas: [1, 1, 1, 2, 2, 2], servable: true, bottleneck: { block: 0, replicas: 1 } })
    const status = (await readSwarm()).models[0]!
    expect(status.servers.find(({ peer }) => peer === first!.peerId)).toMatchObject({ rttMs: null })

    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused' })
    const answer = await client.completions.create({ model, prompt, temperature: 0, max_tokens: newTokens })
    expect(answer.choices[0]!.text).toBe(expected)
  })

  it('names the blocks that no server holds any more, and the command to run', async () => {
    await kill(2)
    await expect
      .poll(async () => (await readSwarm()).models[0], { timeout: 30_000, interval: 1000 })
      .toMatchObject({ servable: false, missingBlocks: [0, 1, 2] })
    expect(await readModel()).toMatchObject({
      state: 'degraded',
      state_detail: expect.stringContaining('blocks 0-2 do not answer') as string,
    })
    // The addresses of the others are known even though the first initial peer is gone.
    const [, ...others] = swarm.servers
    const peers = others.map(({ multiaddr }) => multiaddr).join(',')
    const shown = await petalsChat(['swarm', 'status', '--swarm', peers, ...args.slice(2)], {
      env: environment(),
    })
    expect(shown.code).toBe(1)
    expect(shown.stdout).toContain("✗ no server for blocks 0-2: the model can't answer")
    expect(shown.stdout).toMatch(/contribute .*--blocks 0:3/)
  })

  describe('with a fallback in the configuration', () => {
    let fallback: PetalsChat
    beforeAll(async () => {
      const [, ...others] = swarm.servers
      const file = path.join(cacheHome, 'fallback.yaml')
      const models = [
        {
          id: model,
          engine: 'petals',
          source: swarm.modelFolder,
          dhtPrefix: swarm.dhtPrefix,
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
        env: { ...environment(), PETALS_CHAT_OFFLINE: '1' },
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

  it(`shows that all servers are gone and that they are back, and then serves ${waitingChats} chats that have waited`, async () => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused', maxRetries: 0 })
    const ask = async (): Promise<string> => {
      const request = { model, prompt, temperature: 0, max_tokens: newTokens } as const
      return (await client.completions.create(request)).choices[0]!.text
    }
    const answers = Promise.all(Array.from({ length: waitingChats }, ask))
    answers.catch(() => {})
    await Promise.all([kill(1), kill(3)])
    const gone = await secondsUntil(async () => (await readSwarm()).models[0]!.reachable === false)

    // The first server is the only initial peer: it comes back with its address and its peer id, as after a reboot.
    const [first, second] = swarm.servers
    for (const { start, end, port, name } of [first!, second!])
      await swarm.add({ start, end, port, identityOf: name })
    const back = await secondsUntil(
      async () => (await readSwarm()).models[0]!.servable && (await readModel()).state === 'ready',
    )
    const served = performance.now()
    expect(await answers).toEqual(new Array(waitingChats).fill(expected))
    const seconds = ((performance.now() - served) / 1000).toFixed(1)
    console.log(
      `All servers: seen as gone after ${gone} s, as back after ${back} s, answers complete ${seconds} s later`,
    )
  })
})
