import { describe, expect, inject } from 'vitest'
import { sessionsInUse } from '../../e2e/support/metrics.ts'
import { testsOf } from '../support/incident.ts'
import {
  type Answer,
  chat,
  complete,
  expectAnswers,
  expectRefused,
  post,
  schema,
  tool,
} from '../support/requests.ts'
import { requestIncidents } from './requests.incidents.ts'

const url = inject('serverUrl')
const incident = testsOf(requestIncidents)

describe('numbers', () => {
  incident('CVE-2026-34756', async () => {
    for (const n of [129, 1e9, 2 ** 53, 1e308, -1, 0, 1.5, '1', [1]]) await expectRefused(chat({ n }), "'n'")
    await expectRefused(complete({ prompt: ['a', 'b', 'c'], n: 100 }))
  })

  incident('CVE-2024-8939', async () => {
    for (const best_of of [2, 1e9, 2 ** 53]) {
      await expectRefused(chat({ best_of }), 'best_of')
      expect((await complete({ best_of })).status).toBe(400)
    }
  })

  incident('CVE-2026-21869', async () => {
    for (const name of ['n_discard', 'n_keep', 'id_slot', 'seed', 'top_k', 'logprobs'])
      for (const value of [-1, -(2 ** 63), 1e308])
        expect((await complete({ [name]: value })).status, `${name} ${value}`).toBeOneOf([200, 400])
    const prompt = 'a '.repeat(230)
    const full = await complete({ prompt, n_discard: -1000, n_keep: -5, max_tokens: 20, ignore_eos: true })
    expect(full.status, full.text).toBe(200)
    expect(full.text).toContain('"finish_reason":"length"')
    await expectAnswers()
  })

  incident('CVE-2024-8768', async () => {
    for (const prompt of ['', [], [''], [[]], [[], []]])
      expect((await complete({ prompt })).status, JSON.stringify(prompt)).toBeOneOf([200, 400])
    for (const content of ['', [], [{ type: 'text', text: '' }]])
      expect((await chat({ messages: [{ role: 'user', content }] })).status).toBeOneOf([200, 400])
    await expectRefused(chat({ messages: [] }), 'messages')
    await expectAnswers()
  })
})

/** Few bytes for a schema that is 2^levels parts long when it is written out. */
function doubling(levels: number): object {
  const $defs: Record<string, object> = { l0: { type: 'string' } }
  for (let level = 1; level <= levels; level++) {
    const part = { $ref: `#/$defs/l${level - 1}` }
    $defs[`l${level}`] = { anyOf: [part, { type: 'array', items: part }] }
  }
  return { $defs, $ref: `#/$defs/l${levels}` }
}

describe('schemas and grammars', () => {
  const none = [
    { type: 'something' },
    { type: 7 },
    { $ref: '#/%' },
    { $ref: '#/nowhere' },
    { $ref: 7 },
    [],
    'a',
    7,
  ]

  incident('CVE-2025-48942', async () => {
    for (const value of none) await expectRefused(schema(value))
    await expectAnswers()
  })

  incident('CVE-2025-48943', async () => {
    for (const pattern of ['[', '(', '*', '()[', '\\', '(?<n>', '[z-a]', 'a{2,1}'])
      await expectRefused(schema({ type: 'string', pattern }))
    // A pattern that is one, and that no grammar can hold.
    for (const pattern of ['\\u{110000}', '\\u{ffffff}', '\\ud800', '(a)\\1'])
      expect((await schema({ type: 'string', pattern })).status, pattern).toBeOneOf([200, 400])
  })

  incident('CVE-2025-48944', async () => {
    for (const value of [...none.slice(0, 5), { type: 'string', pattern: '()[' }])
      await expectRefused(tool({ type: 'object', properties: { a: value } }))
    for (const value of none) expect((await tool(value)).status).toBeOneOf([200, 400])
    await expectAnswers()
  })

  incident('CVE-2025-57809', async () => {
    for (const grammar of [
      'root ::= root',
      'root ::= root "a"',
      'root ::= a\na ::= b\nb ::= a',
      'root ::= "a" root',
    ])
      expect((await chat({ grammar })).status, grammar).toBeOneOf([200, 400])
    const endless = [{ $ref: '#' }, { allOf: [{ $ref: '#' }] }, { anyOf: [{ $ref: '#' }, { $ref: '#' }] }]
    for (const value of endless) expect((await schema(value)).status).toBeOneOf([200, 400])
    const tree = { type: 'object', properties: { child: { $ref: '#' } }, required: ['child'] }
    expect((await schema(tree)).status).toBeOneOf([200, 400])
    await expectAnswers()
  })

  incident('CVE-2025-58446', async () => {
    const wide = { enum: Array.from({ length: 20_000 }, (_, index) => `value${index}`) }
    const counted = { type: 'string', pattern: '^((((a{1,99}){1,99}){1,99}){1,99})$' }
    for (const value of [wide, counted]) expect((await schema(value)).status).toBeOneOf([200, 400])
    expect((await schema(doubling(60))).status).toBeOneOf([200, 400])
    await expectAnswers()
  })
})

/** What helps an attacker and no client: addresses of memory, stack traces, files of the server. */
const inside =
  /0x[0-9a-f]{6,}|\bat [\w.#<>]+ ?\(|\.[jt]s:\d|node_modules|file:\/\/|\/(home|root|usr|tmp|var|etc)\//i

incident('CVE-2026-22778', async () => {
  const image = (data: unknown) =>
    chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: data }] }] })
  const answers = await Promise.all([
    image({ url: 'data:image/png;base64,AAAA' }),
    image({ url: 'data:image/jpeg;base64,' }),
    image(null),
    schema({ type: 'string', pattern: '\\u{110000}' }),
    chat({ grammar: 'root ::= \u0000' }),
    chat({ logit_bias: { '-1': 1e308 } }),
    complete({ prompt: [2 ** 31, -1] }),
    complete({ prompt: '\ud800\0' }),
    post('/v1/embeddings', { input: [[2 ** 40]] }),
    post('/v1/tokenize', '{"prompt":'),
    post('/api/v1/generate', { inputs: {}, max_new_tokens: 'a' }),
    chat({ model: '/etc/passwd' }),
  ])
  for (const { status, text } of answers) if (status !== 200) expect(text).not.toMatch(inside)
  expect(answers.filter(({ status }) => status === 400).length).toBeGreaterThan(5)
  expect(answers.filter(({ status }) => status >= 500)).toEqual([])
})

describe('templates', () => {
  incident('CVE-2025-62426', async () => {
    const options = {
      tokenize: true,
      chat_template: '{{ 7 * 7 }}',
      add_generation_prompt: false,
      messages: [],
    }
    const plain = await chat({ max_tokens: 4 })
    const changed = await chat({ max_tokens: 4, chat_template_kwargs: { ...options, return_dict: true } })
    const read = ({ text }: Answer) =>
      JSON.parse(text) as {
        readonly usage?: object
        readonly choices?: readonly { readonly message: object }[]
      }
    expect(changed.status, changed.text).toBe(200)
    expect(read(changed).choices![0]!.message).toEqual(read(plain).choices![0]!.message)
    expect(read(changed).usage).toMatchObject({ prompt_tokens: expect.any(Number), completion_tokens: 4 })
    for (const kwargs of [{ __proto__: { a: 1 } }, { constructor: 1 }, 7, [], 'a'])
      expect((await chat({ chat_template_kwargs: kwargs })).status).toBeOneOf([200, 400])
  })

  incident('CVE-2025-61620', async () => {
    const template = '{% for a in range(1000000000) %}{{ a }}{% endfor %}'
    await expectRefused(chat({ chat_template: template }), 'chat_template')
    await expectRefused(post('/v1/tokenize', { prompt: 'a', chat_template: template }), 'chat_template')
  })
})

describe('keys of prototypes', () => {
  const polluting = ['__proto__', 'constructor', 'prototype', 'toString', 'then', 'valueOf', 'hasOwnProperty']

  incident('CVE-2025-55182', async () => {
    const length = async (): Promise<number> =>
      (JSON.parse((await complete({ max_tokens: 3 })).text) as { usage: { completion_tokens: number } }).usage
        .completion_tokens
    const before = await length()
    for (const key of polluting) {
      const value = `{"max_tokens":1,"stop":"","isAdmin":true,"then":"x","prototype":{"max_tokens":1}}`
      const bodies = [
        `{"${key}":${value},"prompt":"Once","max_tokens":3}`,
        `{"prompt":"Once","max_tokens":3,"logit_bias":{"${key}":1}}`,
      ]
      for (const body of bodies)
        expect((await post('/v1/completions', body)).status, body).toBeOneOf([200, 400])
      const message = `{"messages":[{"role":"user","content":"Hi","${key}":${value}}],"max_tokens":1}`
      expect((await post('/v1/chat/completions', message)).status).toBeOneOf([200, 400])
      expect((await post('/v1/chat/completions', `{"model":"${key}","messages":[]}`)).status).toBeOneOf([
        400, 404,
      ])
      expect((await fetch(`${url}/v1/models/${key}`)).status, key).toBe(404)
    }
    expect(await length()).toBe(before)
  })

  const form = 'application/x-www-form-urlencoded'
  incident('GHSA-v8w9-8mx6-g223', async () => {
    for (const field of [
      '__proto__.max_new_tokens',
      '__proto__[max_new_tokens]',
      'constructor.prototype.max_new_tokens',
    ])
      expect((await post('/api/v1/generate', `${field}=1&inputs=Hi`, form)).text).toMatch(
        /max_new_tokens|max_length/,
      )
    // The next request has no default from it.
    expect((await post('/api/v1/generate', 'inputs=Hi', form)).text).toMatch(/max_new_tokens|max_length/)
  })

  incident('GHSA-g6gw-c38x-mqfc', async () => {
    for (const field of ['a.'.repeat(500_000), 'a[b]'.repeat(250_000), 'a[]'.repeat(300_000)])
      expect((await post('/api/v1/generate', `${field}=1`, form)).status).toBe(400)
    const many = 'a[]=1&'.repeat(200_000)
    expect((await post('/api/v1/generate', many, form)).status).toBe(400)
  })
})

describe('much work for few bytes', () => {
  /** Answers of another client come while the work is done. */
  async function meanwhile(work: Promise<Answer>): Promise<Answer> {
    const healthy = await fetch(`${url}/healthz`)
    expect(healthy.status).toBe(200)
    return work
  }

  incident('CVE-2024-8984', async () => {
    const boundary = 'x'
    const part = `--${boundary}\r\ncontent-disposition: form-data; name="inputs"\r\n\r\nHi\r\n`
    for (const body of [
      `${part}--${boundary}--${'-'.repeat(3_000_000)}`,
      `${part}--${boundary}${'\r\n'.repeat(1_000_000)}`,
      `--${boundary}\r\n${'a: b\r\n'.repeat(400_000)}`,
      part,
      '',
    ])
      expect(
        (await meanwhile(post('/api/v1/generate', body, `multipart/form-data; boundary=${boundary}`))).status,
      ).toBe(400)
    expect((await post('/api/v1/generate', part, 'multipart/form-data')).status).toBe(400)
  })

  incident('CVE-2025-46560', async () => {
    for (const piece of ['<|im_start|>', '<image>', '<|audio|>', 'a\u0301'])
      expect(
        (await meanwhile(chat({ messages: [{ role: 'user', content: piece.repeat(60_000) }] }))).status,
      ).toBe(400)
  })

  incident('CVE-2025-27209', async () => {
    const keys = Array.from({ length: 100_000 }, (_, index) => `"${index}":1`).join()
    await expectRefused(post('/v1/chat/completions', `{"messages":[],"metadata":{${keys}}}`), 'values')
  })

  incident('llama.cpp#24496', async () => {
    const gone = new AbortController()
    const body = JSON.stringify({ prompt: 'Once', max_tokens: 200, stream: true, ignore_eos: true })
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers,
      body,
      signal: gone.signal,
    })
    await response.body!.getReader().read()
    expect(await sessionsInUse(url)).toBe(1)
    gone.abort()
    await expect.poll(() => sessionsInUse(url)).toBe(0)
  })

  incident('CVE-2026-29085', async () => {
    const breaks = ['\n\n', '\r\n\r\n', '\r', '\u2028', '\u0085'].map(
      (end) => `x${end}event: evil${end}data: [DONE]${end}`,
    )
    for (const text of breaks) {
      const fields = { user: text, model: text, stream: true, max_tokens: 2, ignore_eos: true }
      const { text: events } = await post('/v1/completions', { prompt: text, echo: true, ...fields })
      expect(events.split(/[\n\r\u0085\u2028]/).filter((line) => line.startsWith('event: evil'))).toEqual([])
      const frames = events.split('\n\n').filter((each) => each.startsWith('data: {'))
      for (const each of frames) expect(() => JSON.parse(each.slice('data: '.length))).not.toThrow()
      expect(events.match(/^data: \[DONE\]/gm)?.length ?? 0).toBeLessThanOrEqual(1)
    }
  })
})
