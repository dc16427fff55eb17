import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { embed, generateText, isStepCount, type LanguageModel, Output, streamText, tool } from 'ai'
import { createOllama } from 'ai-sdk-ollama'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { z } from 'zod'
import { callsOf, type Holds } from '../../../../tests/clients/calls-of.ts'
import { createTestApp, type TestApp } from './openai/fixtures/test-app.ts'
import { weatherReply } from './openai/fixtures/weather-reply.ts'

let app: TestApp
let url: string

beforeAll(async () => {
  app = createTestApp({ reply: weatherReply })
  ;({ url } = await app.gateway.listen())
})
afterAll(() => app[Symbol.asyncDispose]())

const openai = () => createOpenAI({ baseURL: `${url}/v1`, apiKey: 'any' })
const compatible = () =>
  createOpenAICompatible({
    name: 'petals',
    baseURL: `${url}/v1`,
    includeUsage: true,
    supportsStructuredOutputs: true,
  })
const holdsCompatible = callsOf('ai-sdk-openai-compatible', import.meta.url)

type Calls = Holds<'chat' | 'stream' | 'tools' | 'form' | 'errors'>

const providers: Readonly<Record<string, readonly [Calls, () => LanguageModel]>> = {
  'openai, chat': [callsOf('ai-sdk-openai-chat', import.meta.url), () => openai().chat('test')],
  'openai, responses': [
    callsOf('ai-sdk-openai-responses', import.meta.url),
    () => openai().responses('test'),
  ],
  anthropic: [
    callsOf('ai-sdk-anthropic', import.meta.url),
    () => createAnthropic({ baseURL: `${url}/v1`, apiKey: 'any' })('test'),
  ],
  'openai-compatible': [holdsCompatible, () => compatible()('test')],
  ollama: [callsOf('ai-sdk-ollama', import.meta.url), () => createOllama({ baseURL: url })('test')],
}

describe.each(Object.entries(providers))('the AI SDK with its provider %s', (_, [holds, model]) => {
  const ask = {
    prompt: 'What is the capital of France?',
    temperature: 0,
    maxOutputTokens: 100,
    maxRetries: 0,
  }

  holds('chat')('answers', async () => {
    const { text, finishReason, usage, warnings } = await generateText({ ...ask, model: model() })
    expect(text).toBe('Paris, the city of light. 🗼')
    expect(finishReason).toBe('stop')
    expect(usage.outputTokens).toBeGreaterThan(20)
    expect(warnings ?? []).toEqual([])
  })

  holds('stream')('streams', async () => {
    const result = streamText({ ...ask, model: model() })
    const pieces = await Array.fromAsync(result.textStream)
    expect(pieces.length).toBeGreaterThan(3)
    expect(pieces.join('')).toBe('Paris, the city of light. 🗼')
    expect(await result.finishReason).toBe('stop')
    expect((await result.usage).inputTokens).toBeGreaterThan(10)
  })

  holds('chat')('stops at the length that was asked for', async () => {
    const { text, finishReason } = await generateText({ ...ask, model: model(), maxOutputTokens: 5 })
    expect(text).toBe('Paris')
    expect(finishReason).toBe('length')
  })

  holds('tools')('calls a tool, and answers with its result', async () => {
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

  holds('form')('reads an answer with a schema', async () => {
    const { output } = await generateText({
      ...ask,
      prompt: 'A name as JSON.',
      model: model(),
      output: Output.object({ schema: z.object({ name: z.string() }) }),
    })
    expect(output).toEqual({ name: expect.any(String) as string })
  })

  holds('errors')('gets the words of an error', async () => {
    const asked = generateText({ ...ask, model: model(), prompt: 'a'.repeat(10_000) })
    await expect(asked).rejects.toThrow(/context/)
  })
})

holdsCompatible('embeddings')('the AI SDK embeds', async () => {
  const { embedding } = await embed({ model: compatible().embeddingModel('test'), value: 'a cat' })
  expect(embedding.length).toBeGreaterThan(1)
})
