import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { embed, generateText, isStepCount, type LanguageModel, Output, streamText, tool } from 'ai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createTestApp, type TestApp } from './openai/fixtures/test-app.ts'
import { weatherReply } from './openai/fixtures/weather-reply.ts'

let app: TestApp
let url: string

beforeAll(async () => {
  app = createTestApp({ reply: weatherReply })
  ;({ url } = await app.gateway.listen())
})
afterAll(() => app[Symbol.asyncDispose]())

const providers: Record<string, () => LanguageModel> = {
  'openai, chat': () => createOpenAI({ baseURL: `${url}/v1`, apiKey: 'any' }).chat('test'),
  'openai, responses': () => createOpenAI({ baseURL: `${url}/v1`, apiKey: 'any' }).responses('test'),
  anthropic: () => createAnthropic({ baseURL: `${url}/v1`, apiKey: 'any' })('test'),
  'openai-compatible': () =>
    createOpenAICompatible({
      name: 'petals',
      baseURL: `${url}/v1`,
      includeUsage: true,
      supportsStructuredOutputs: true,
    })('test'),
}

describe.each(Object.entries(providers))('the AI SDK with its provider %s', (_, model) => {
  const ask = {
    prompt: 'What is the capital of France?',
    temperature: 0,
    maxOutputTokens: 100,
    maxRetries: 0,
  }

  it('answers', async () => {
    const { text, finishReason, usage, warnings } = await generateText({ ...ask, model: model() })
    expect(text).toBe('Paris, the city of light. 🗼')
    expect(finishReason).toBe('stop')
    expect(usage.outputTokens).toBeGreaterThan(20)
    expect(warnings ?? []).toEqual([])
  })

  it('streams', async () => {
    const result = streamText({ ...ask, model: model() })
    const pieces = await Array.fromAsync(result.textStream)
    expect(pieces.length).toBeGreaterThan(3)
    expect(pieces.join('')).toBe('Paris, the city of light. 🗼')
    expect(await result.finishReason).toBe('stop')
    expect((await result.usage).inputTokens).toBeGreaterThan(10)
  })

  it('stops at the length that was asked for', async () => {
    const { text, finishReason } = await generateText({ ...ask, model: model(), maxOutputTokens: 5 })
    expect(text).toBe('Paris')
    expect(finishReason).toBe('length')
  })

  it('calls a tool, and answers with its result', async () => {
    const cities: string[] = []
    const weather = tool({
      description: 'The weather of a city.',
      inputSchema: z.object({ city: z.string() }),
      execute: ({ city }) => {
        cities.push(city)
        return 'It is sunny.'
      },
    })
    const result = streamText({
      ...ask,
      prompt: 'How is the weather?',
      model: model(),
      tools: { weather },
      stopWhen: isStepCount(3),
    })
    await result.consumeStream()
    expect(cities).toEqual(['Paris'])
    expect(await result.text).toBe('It is sunny in Paris.')
  })

  it('reads an answer with a schema', async () => {
    const { output } = await generateText({
      ...ask,
      prompt: 'A name as JSON.',
      model: model(),
      output: Output.object({ schema: z.object({ name: z.string() }) }),
    })
    expect(output).toEqual({ name: expect.any(String) as string })
  })

  it('gets the words of an error', async () => {
    const asked = generateText({ ...ask, model: model(), prompt: 'a'.repeat(10_000) })
    await expect(asked).rejects.toThrow(/context/)
  })
})

describe('the AI SDK', () => {
  it('embeds', async () => {
    const provider = createOpenAICompatible({ name: 'petals', baseURL: `${url}/v1` })
    const { embedding } = await embed({ model: provider.embeddingModel('test'), value: 'a cat' })
    expect(embedding.length).toBeGreaterThan(1)
  })
})
