import {
  type JsonSchema,
  chatRequestSchema,
  completionRequestSchema,
  componentSchemas,
} from '@petals-chat/api'
import { createModelRegistry, loadableModel, modelSpecSchema } from '@petals-chat/engine'
import { ScriptedEngine } from '@petals-chat/engine/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gatewayConfigSchema } from '../../config.ts'
import type { GatewayContext } from '../../context.ts'
import type { ChatJob } from '../../generation/chat/chat-choice-reader.ts'
import { prepareChat } from '../../generation/chat/prepare-chat.ts'
import type { CompletionJob } from '../../generation/completion/completion-choice-reader.ts'
import { prepareCompletion } from '../../generation/completion/prepare-completion.ts'
import { createTestApp, type TestApp } from './fixtures/test-app.ts'

interface Described {
  readonly properties: Readonly<
    Record<string, JsonSchema & { readonly description?: string; readonly default?: unknown }>
  >
}

const schemas = componentSchemas()
const fieldsOf = (name: string) => Object.entries((schemas[name] as unknown as Described).properties)
const defaultsOf = (name: string) =>
  fieldsOf(name).flatMap(([field, schema]) => ('default' in schema ? [[field, schema.default] as const] : []))

/** Requests with only the required fields. */
const silent = {
  ChatCompletionRequest: { messages: [{ role: 'user', content: 'Hi' }] },
  CompletionRequest: { prompt: 'Hi' },
  EmbeddingRequest: { input: 'Hi' },
  TokenizeRequest: { prompt: 'Hi' },
  DetokenizeRequest: { tokens: [72, 0] },
} as const
type Kind = keyof typeof silent

const paths: Readonly<Record<Kind, string>> = {
  ChatCompletionRequest: '/v1/chat/completions',
  CompletionRequest: '/v1/completions',
  EmbeddingRequest: '/v1/embeddings',
  TokenizeRequest: '/v1/tokenize',
  DetokenizeRequest: '/v1/detokenize',
}

const cases = (Object.keys(silent) as Kind[]).flatMap((kind) =>
  defaultsOf(kind).map(([field, value]) => ({ kind, field, value })),
)

const tool = { type: 'function', function: { name: 'f' } }
const beside: Readonly<Record<string, object>> = {
  tool_choice: { tools: [tool] },
  top_logprobs: { logprobs: true },
}

/** The request to the engine. A filter or penalty that is off counts as missing. */
const asked = (job: object): string =>
  JSON.stringify(job, (name, value: unknown) => (value === off[name] ? undefined : value))
const off: Readonly<Record<string, unknown>> = {
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
}

/** An answer without the fields that differ each time. */
const lasting = (body: string): string =>
  body.replace(/"(id|created|\w+_ms|\w+_per_second|cached_tokens|cache_n|prompt_n)":("[^"]*"|[\d.]+)/g, '')

describe('documented defaults', () => {
  let app: TestApp
  let context: GatewayContext
  const spec = modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' })
  const engine = new ScriptedEngine({ contextLength: 8192 })
  beforeAll(() => {
    app = createTestApp({ reply: () => 'Hi there, this is the answer.' })
    const registry = createModelRegistry({ models: [loadableModel(spec, engine)] })
    context = { registry, config: gatewayConfigSchema.parse({}), version: '1' } as GatewayContext
  })
  afterAll(async () => {
    await app[Symbol.asyncDispose]()
    await engine[Symbol.asyncDispose]()
  })

  /** The whole request to the engine. */
  async function jobOf(kind: Kind, fields: object): Promise<unknown> {
    const { signal } = new AbortController()
    const body = { ...silent[kind], ...fields }
    if (kind === 'ChatCompletionRequest') {
      return asked(partsOf(await prepareChat(context, spec, chatRequestSchema.parse(body), signal)))
    }
    if (kind !== 'CompletionRequest') return undefined
    const request = completionRequestSchema.parse(body)
    return asked(partsOf(await prepareCompletion(context, spec, request, signal)))
  }

  /** What differs from request to request, without what differs from answer to answer. */
  function partsOf({ head: _head, work, ...job }: ChatJob | CompletionJob): object {
    const { model: _model, ...rest } = work
    return { ...job, ...rest }
  }

  async function answerOf(kind: Kind, fields: object): Promise<string> {
    const body = { temperature: 0, ...silent[kind], ...fields }
    const { temperature, ...rest } = body as { readonly temperature?: number }
    const isAnswer = /Completion/.test(kind)
    const response = await app.post(paths[kind], isAnswer ? { temperature, ...rest } : rest)
    expect(response.status).toBe(200)
    return lasting(await response.text())
  }

  it('exist for every call with optional fields', () => {
    for (const kind of Object.keys(silent)) expect(cases.some((one) => one.kind === kind)).toBe(true)
  })

  it.each(cases)('$kind: omitting $field is the same as $value', async ({ kind, field, value }) => {
    const more = beside[field] ?? {}
    expect(await jobOf(kind, { ...more, [field]: value })).toBe(await jobOf(kind, more))
    expect(await jobOf(kind, { ...more, [field]: null })).toBe(await jobOf(kind, more))
    expect(await answerOf(kind, { ...more, [field]: value })).toBe(await answerOf(kind, more))
  })

  it('differ from other values', async () => {
    const silentJob = await jobOf('CompletionRequest', {})
    for (const other of [{ max_tokens: 17 }, { temperature: 0.7 }, { top_p: 1 }, { n: 2 }, { echo: true }])
      expect(await jobOf('CompletionRequest', other)).not.toBe(silentJob)
    expect(await answerOf('TokenizeRequest', { return_token_strs: true })).not.toBe(
      await answerOf('TokenizeRequest', {}),
    )
  })

  it('are in the description of a field and in its schema, or in neither', () => {
    const told = (description = '') => /Default(?! a new|, and with)/.test(description)
    for (const kind of Object.keys(silent))
      for (const [field, { description, default: value }] of fieldsOf(kind)) {
        expect([kind, field, told(description)]).toEqual([kind, field, value !== undefined])
        if (value !== undefined && typeof value !== 'boolean') expect(description).toContain(String(value))
      }
  })

  it('completions without max_tokens have 16 tokens even if the model’s entry allows more', async () => {
    const usual = async (generation: object) => {
      await using other = createTestApp({ specs: [{ generation }], contextLength: 512 })
      const body = { prompt: 'Once upon a time', temperature: 0 }
      const response = await other.post('/v1/completions', body)
      const { usage } = (await response.json()) as { readonly usage: { readonly completion_tokens: number } }
      return usage.completion_tokens
    }
    expect(await usual({ max_new_tokens: 2048 })).toBe(16)
    expect(await usual({})).toBe(16)
    expect(await usual({ max_new_tokens: 5 })).toBe(5)
  })
})
