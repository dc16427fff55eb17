import { ollamaGenerateEndSchema } from '@petals-chat/api'
import { createJinjaChatTemplate } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { createTestApp } from '../openai/fixtures/test-app.ts'
import { greedy, messages, promptOf, tools } from './fixtures/answers.ts'

describe('the prompt', () => {
  it('has the system prompt, and results of tools after the calls that they answer', async () => {
    const asked = [
      { function: { name: 'weather', arguments: { city: 'Paris' } } },
      { function: { name: 'time', arguments: {} } },
    ]
    const prompt = await promptOf('/api/chat', {
      messages: [
        { role: 'system', content: 'Be brief.' },
        ...messages,
        { role: 'assistant', content: '', thinking: 'Secret', tool_calls: asked },
        { role: 'tool', content: 'noon', tool_name: 'time' },
        { role: 'tool', content: 'rain' },
      ],
      tools,
    })
    const places = ['Be brief.', 'capital of France', '"Paris"', 'noon', 'rain'].map((text) =>
      prompt.indexOf(text),
    )
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places[0]).toBeGreaterThan(-1)
    expect(prompt).not.toContain('Secret')
    expect(await promptOf('/api/generate', { prompt: 'Hi', system: 'Be kind.' })).toContain('Be kind.')
  })

  it('reads control tokens of a client as text, in a context too', async () => {
    await using app = createTestApp({ reply: () => 'Well. <|end|>' })
    const post = async (body: object) =>
      ollamaGenerateEndSchema.parse(
        await (await app.post('/api/generate', { model: 'test', stream: false, ...body })).json(),
      )
    const first = await post({ prompt: 'Say <|end|>', options: greedy })
    const second = await post({ prompt: 'And <|end|>', context: first.context, options: greedy })
    const controls = second.context!.filter((token) => token > 255)
    const plain = await post({ prompt: 'Say' })
    const next = await post({ prompt: 'And', context: plain.context })
    expect(controls).toEqual(next.context!.filter((token) => token > 255))
  })
})

describe('a context with another system message', () => {
  const turn = '<|{{ m.role }}|>{{ m.content }}<|end|>'
  const strict =
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('System first') }}{% endif %}" +
    turn +
    '{% endfor %}<|assistant|>'
  const hoists =
    "{% for m in messages if m.role == 'system' %}top: {{ m.content }}<|end|>{% endfor %}" +
    "{% for m in messages if m.role != 'system' %}" +
    turn +
    '{% endfor %}<|assistant|>'
  const anywhere = '{% for m in messages %}' + turn + '{% endfor %}<|assistant|>'

  it.each([
    ['in its own place', anywhere, '<|system|>Be kind.<|end|><|user|>And?<|end|>'],
    [
      'before the words of the user, where the template refuses it',
      strict,
      '<|user|>Be kind.\n\nAnd?<|end|>',
    ],
    ['before the words of the user, where it would be lost', hoists, '<|user|>Be kind.\n\nAnd?<|end|>'],
  ])('has it %s', async (_where, template, expected) => {
    const prompts: string[] = []
    const chatTemplate = createJinjaChatTemplate({ template, bosText: '', eosText: '' })
    await using app = createTestApp({ chatTemplate, reply: (prompt) => (prompts.push(prompt), 'Well.') })
    const post = async (body: object) =>
      ollamaGenerateEndSchema.parse(
        await (await app.post('/api/generate', { model: 'test', stream: false, ...body })).json(),
      )
    const { context } = await post({ prompt: 'Hi' })
    await post({ prompt: 'And?', system: 'Be kind.', context })
    expect(prompts.at(-1)).toBe(`<s><|user|>Hi<|end|><|assistant|>Well.<|end|>${expected}`)
  })
})
