import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callsOf } from '../clients/calls-of.ts'
import { withDefaultModel, startPetalsChat, type PetalsChat } from './support/petals-chat.ts'
import { sessionsInUse } from './support/metrics.ts'
import { connectLegacy, type LegacyMessage, type LegacySocket } from './support/websocket.ts'

const model = 'SmolLM2-135M-Instruct'

let server: PetalsChat
beforeAll(async () => {
  server = await startPetalsChat({ env: await withDefaultModel() })
})
afterAll(() => server[Symbol.asyncDispose]())

const holds = callsOf('chat-petals-dev', import.meta.url)

function curl(...args: readonly string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn('curl', ['-sS', ...args])
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', () => resolve(JSON.parse(output)))
  })
}

describe('clients of the HTTP API', () => {
  holds('text')("curl as in the original's README", async () => {
    const answer = await curl(
      ...['-X', 'POST', `${server.url}/api/v1/generate`],
      ...['-d', `model=${model}`, '-d', 'inputs=Once upon a time,', '-d', 'max_new_tokens=20'],
    )
    expect(answer).toEqual({ ok: true, outputs: expect.stringMatching(/^ \w/) as string })
  })

  holds('text')('GET with a query, and JSON bodies, as some clients send them', async () => {
    const query = new URLSearchParams({ model, inputs: 'One, two, three,', max_new_tokens: '4' })
    const get = await curl(`${server.url}/api/v1/generate?${query.toString()}`)
    const json = await curl(
      ...[`${server.url}/api/v1/generate`, '-H', 'content-type: application/json'],
      ...['-d', JSON.stringify({ model, inputs: 'One, two, three,', max_new_tokens: 4 })],
    )
    expect(get).toMatchObject({ ok: true })
    expect(json).toEqual(get)
  })

  holds('text')('max_length counts the prompt, as in transformers', async () => {
    const inputs = 'The quick brown fox'
    const count = await fetch(`${server.url}/v1/tokenize`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model, prompt: inputs }),
    })
    const { count: promptTokens } = (await count.json()) as { count: number }
    const short = await curl(
      `${server.url}/api/v1/generate`,
      '-d',
      `model=${model}`,
      '-d',
      `inputs=${inputs}`,
      '-d',
      `max_length=${promptTokens + 3}`,
    )
    const long = await curl(
      `${server.url}/api/v1/generate`,
      '-d',
      `model=${model}`,
      '-d',
      `inputs=${inputs}`,
      '-d',
      'max_new_tokens=3',
    )
    expect(short).toEqual(long)
  })

  it('the name of a model of another server is taken for the only one here', async () => {
    const answer = (await curl(
      `${server.url}/api/v1/generate`,
      '-d',
      'model=missing/nothing',
      '-d',
      'inputs=a',
      '-d',
      'max_new_tokens=1',
    )) as LegacyMessage
    expect(answer).toEqual({ ok: true, outputs: expect.any(String) as string })
  })

  holds('errors')('tells of mistakes in words, under ok: false', async () => {
    const malformed = (await curl(
      `${server.url}/api/v1/generate`,
      '-d',
      `model=${model}`,
      '-d',
      'inputs=a',
      '-d',
      'max_new_tokens=many',
    )) as LegacyMessage
    expect(malformed.ok).toBe(false)
    expect(malformed.traceback).toContain('max_new_tokens')
    expect(malformed.traceback).not.toMatch(/\n\s+at |\.ts:\d/)
  })
})

async function answerOf(client: LegacySocket): Promise<{ text: string; messages: LegacyMessage[] }> {
  const messages: LegacyMessage[] = []
  for (;;) {
    const message = await client.receive()
    if (!message) throw new Error('The connection was closed in mid-answer.')
    if (!message.ok) throw new Error(message.traceback)
    messages.push(message)
    if (message.stop) return { text: messages.map(({ outputs }) => outputs).join(''), messages }
  }
}

/** What static/chat.js of the original sends, with the chat settings of a model whose turns end with "###". */
const pageParameters = {
  max_new_tokens: 1,
  stop_sequence: '<|im_end|>',
  // A sentence at most: what is sampled would now and then go on until the session is full.
  extra_stop_sequences: ['\n\nHuman', '.', '!', '?'],
  do_sample: 1,
  temperature: 0.6,
  top_p: 0.9,
}

describe('clients of the WebSocket API', () => {
  holds('stream', 'kept')(
    "the original's page: several turns on one session, one token a message",
    async () => {
      using client = await connectLegacy(server.url, { origin: server.url })
      client.send({ type: 'open_inference_session', model, max_length: 512 })
      expect(await client.receive()).toEqual({ ok: true })
      for (const turn of ['Human: Hi!<|im_end|>Assistant:', 'Human: Tell me a colour.<|im_end|>Assistant:']) {
        client.send({ type: 'generate', inputs: turn, ...pageParameters })
        const { messages } = await answerOf(client)
        expect(messages.length).toBeGreaterThan(1)
        for (const message of messages) {
          expect(message).toEqual({
            ok: true,
            outputs: expect.any(String) as string,
            stop: expect.any(Boolean) as boolean,
            token_count: expect.any(Number) as number,
          })
          expect(message.outputs).not.toContain('\ufffd')
        }
      }
    },
  )

  holds('stream')("the README's example: opens and generates without waiting, up to max_length", async () => {
    using client = await connectLegacy(server.url)
    client.send({ type: 'open_inference_session', model, max_length: 30 })
    client.send({
      type: 'generate',
      inputs: 'A cat sat on',
      max_length: 30,
      do_sample: 1,
      temperature: 0.6,
      top_p: 0.9,
    })
    expect(await client.receive()).toEqual({ ok: true })
    expect(await client.receive()).toMatchObject({
      ok: true,
      stop: true,
      outputs: expect.stringMatching(/./) as string,
    })
  })

  holds('kept')(
    'goes on from the last token when there are no inputs, with the same text as in one go',
    async () => {
      using client = await connectLegacy(server.url)
      client.send({ type: 'open_inference_session', model, max_length: 128 })
      await client.receive()
      client.send({ type: 'generate', inputs: 'The sun rises in the', max_new_tokens: 6 })
      const first = await answerOf(client)
      client.send({ type: 'generate', max_new_tokens: 6 })
      const second = await answerOf(client)
      const whole = (await curl(
        `${server.url}/api/v1/generate`,
        '-d',
        `model=${model}`,
        '-d',
        'inputs=The sun rises in the',
        '-d',
        'max_new_tokens=12',
      )) as LegacyMessage
      expect(first.text + second.text).toBe(whole.outputs)
    },
  )

  holds('errors')('says "Maximum length exceeded" where the page looks for it, then closes', async () => {
    using client = await connectLegacy(server.url)
    client.send({ type: 'open_inference_session', model, max_length: 16 })
    await client.receive()
    client.send({ type: 'generate', inputs: 'word '.repeat(30), max_new_tokens: 1 })
    const message = await client.receive()
    expect(message!.ok).toBe(false)
    expect(message!.traceback).toMatch(/Maximum length exceeded/)
  })

  holds('leaves')('frees the session when the socket closes in mid-answer', async () => {
    const client = await connectLegacy(server.url)
    client.send({ type: 'open_inference_session', model, max_length: 2048 })
    await client.receive()
    client.send({ type: 'generate', inputs: 'Count: 1, 2, 3,', max_new_tokens: 1, stop_sequence: '@@@@' })
    for (let i = 0; i < 5; i++) await client.receive()
    client[Symbol.dispose]()
    await expect.poll(() => sessionsInUse(server.url), { timeout: 5000 }).toBe(0)
  })
})
