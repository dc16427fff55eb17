import { ChatAnthropic } from '@langchain/anthropic'
import type { BaseChatModel } from '@langchain/core/language_models/chat_models'
import { type AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOllama, OllamaEmbeddings } from '@langchain/ollama'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
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

const ask = { model: 'test', temperature: 0, maxRetries: 0 }
const openai = () => ({ ...ask, apiKey: 'any', configuration: { baseURL: `${url}/v1` } })

const holdsOpenAI = callsOf('langchain-openai', import.meta.url)
const holdsOllama = callsOf('langchain-ollama', import.meta.url)

const models: Readonly<
  Record<string, readonly [Holds<'chat' | 'stream' | 'tools' | 'form'>, () => BaseChatModel]>
> = {
  ChatOpenAI: [holdsOpenAI, () => new ChatOpenAI(openai())],
  'ChatOpenAI with the Responses API': [
    callsOf('langchain-openai-responses', import.meta.url),
    () => new ChatOpenAI({ ...openai(), useResponsesApi: true }),
  ],
  ChatAnthropic: [
    callsOf('langchain-anthropic', import.meta.url),
    () => new ChatAnthropic({ ...ask, apiKey: 'any', maxTokens: 100, anthropicApiUrl: url }),
  ],
  ChatOllama: [holdsOllama, () => new ChatOllama({ ...ask, baseUrl: url })],
}

const weather = tool(() => 'It is sunny.', {
  name: 'weather',
  description: 'The weather of a city.',
  schema: z.object({ city: z.string() }),
})

describe.each(Object.entries(models))('LangChain’s %s', (_, [holds, model]) => {
  const question = new HumanMessage('What is the capital of France?')

  holds('chat')('answers', async () => {
    const message = await model().invoke([question])
    expect(message.text).toBe('Paris, the city of light. 🗼')
    expect(message).toMatchObject({ usage_metadata: { output_tokens: expect.any(Number) as number } })
  })

  holds('stream')('streams', async () => {
    const pieces = await Array.fromAsync(await model().stream([question]), ({ text }) => text)
    expect(pieces.filter(Boolean).length).toBeGreaterThan(3)
    expect(pieces.join('')).toBe('Paris, the city of light. 🗼')
  })

  holds('tools')('calls a tool, and answers with its result', async () => {
    const withTools = model().bindTools!([weather])
    const asked = new HumanMessage('How is the weather?')
    const message = (await withTools.invoke([asked])) as AIMessage
    expect(message.tool_calls).toMatchObject([{ name: 'weather', args: { city: 'Paris' } }])
    const result = new ToolMessage({ content: 'It is sunny.', tool_call_id: message.tool_calls![0]!.id! })
    expect((await withTools.invoke([asked, message, result])).text).toBe('It is sunny in Paris.')
  })

  holds('form')('reads an answer with a schema', async () => {
    const asked = [new HumanMessage('A name as JSON.')]
    const schema = z.object({ name: z.string() })
    const structured = model().withStructuredOutput(schema, { method: 'jsonSchema' })
    expect(await structured.invoke(asked)).toEqual({ name: expect.any(String) as string })
  })
})

describe('LangChain’s embeddings', () => {
  const texts = ['a cat', 'a dog']

  holdsOpenAI('embeddings')('embed by OpenAI’s API', async () => {
    const [one, two] = await new OpenAIEmbeddings(openai()).embedDocuments(texts)
    expect(one?.length).toBe(two?.length)
  })

  holdsOllama('embeddings')('embed by Ollama’s API, as by OpenAI’s', async () => {
    const vectors = await new OllamaEmbeddings({ model: 'test', baseUrl: url }).embedDocuments(texts)
    const others = await new OpenAIEmbeddings(openai()).embedDocuments(texts)
    expect(vectors.map(([first]) => first)).toEqual(
      others.map(([first]) => expect.closeTo(first!, 5) as number),
    )
  })
})
