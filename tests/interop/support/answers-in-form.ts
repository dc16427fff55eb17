import Ajv from 'ajv'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { model, type SwarmProcess } from './swarm-process.ts'

/** Declares tests on a swarm that runs: to start one for each file would take minutes. */
export function testAnswersInForm(running: () => SwarmProcess): void {
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
    const parameters = {
      type: 'object',
      properties: { wings: { enum: [2, 4] } },
      required: ['wings'],
    } as const
    const tools = ['feed', 'wake'].map((name) => ({
      type: 'function' as const,
      function: { name, parameters },
    }))
    const fits = new Ajv()
    const client = (): OpenAI =>
      new OpenAI({ baseURL: `${running().server.url}/v1`, apiKey: 'unused', maxRetries: 0 })

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
        const response = await fetch(`${running().server.url}/v1/chat/completions`, {
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
      const refused = await fetch(`${running().server.url}/v1/chat/completions`, {
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
}
