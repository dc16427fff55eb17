import { ChatAnthropic } from '@langchain/anthropic'
import type { BaseChatModel } from '@langchain/core/language_models/chat_models'
import { type AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
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

const models: Readonly<Record<string, () => BaseChatModel>> = {
  ChatOpenAI: () =>
    new ChatOpenAI({
      model: 'test',
      apiKey: 'any',
      temperature: 0,
      maxRetries: 0,
      configuration: { baseURL: `${url}/v1` },
    }),
  ChatAnthropic: () =>
    new ChatAnthropic({
      model: 'test',
      apiKey: 'any',
      temperature: 0,
      maxTokens: 100,
      maxRetries: 0,
      anthropicApiUrl: url,
    }),
}

const weather = tool(() => 'It is sunny.', {
  name: 'weather',
  description: 'The weather of a city.',
  schema: z.object({ city: z.string() }),
})

describe.each(Object.entries(models))('LangChain’s %s', (_, model) => {
  const question = new HumanMessage('What is the capital of France?')

  it('answers', async () => {
    const message = await model().invoke([question])
    expect(message.text).toBe('Paris, the city of light. 🗼')
    expect(message).toMatchObject({ usage_metadata: { output_tokens: expect.any(Number) as number } })
  })

  it('streams', async () => {
    const pieces = await Array.fromAsync(await model().stream([question]), ({ text }) => text)
    expect(pieces.filter(Boolean).length).toBeGreaterThan(3)
    expect(pieces.join('')).toBe('Paris, the city of light. 🗼')
  })

  it('calls a tool, and answers with its result', async () => {
    const withTools = model().bindTools!([weather])
    const asked = new HumanMessage('How is the weather?')
    const message = (await withTools.invoke([asked])) as AIMessage
    expect(message.tool_calls).toMatchObject([{ name: 'weather', args: { city: 'Paris' } }])
    const result = new ToolMessage({ content: 'It is sunny.', tool_call_id: message.tool_calls![0]!.id! })
    expect((await withTools.invoke([asked, message, result])).text).toBe('It is sunny in Paris.')
  })

  it('reads an answer with a schema', async () => {
    const asked = [new HumanMessage('A name as JSON.')]
    const schema = z.object({ name: z.string() })
    const structured = model().withStructuredOutput(schema, { method: 'jsonSchema' })
    expect(await structured.invoke(asked)).toEqual({ name: expect.any(String) as string })
  })
})

describe('LangChain’s OpenAIEmbeddings', () => {
  it('embeds', async () => {
    const embeddings = new OpenAIEmbeddings({
      model: 'test',
      apiKey: 'any',
      configuration: { baseURL: `${url}/v1` },
    })
    const [one, two] = await embeddings.embedDocuments(['a cat', 'a dog'])
    expect(one?.length).toBe(two?.length)
  })
})
