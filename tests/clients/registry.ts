import type { Call } from './calls.ts'

/** A client, what to set in it, and what is known to work. */
export interface ClientEntry {
  /** As the docs name it; Markdown. */
  readonly name: string
  /** What to set; Markdown. Left out: the page says it at length, under the heading `Coding agents`. */
  readonly settings?: string
  /** The files that hold the client, from the root of the checkout, each with exactly the calls that its tests hold. */
  readonly heldBy: Readonly<Record<string, readonly Call[]>>
  /** What was tried once with a program that the tests don't install. */
  readonly byHand?: { readonly version: string; readonly date: string; readonly calls: readonly Call[] }
}

const routes = 'packages/gateway/src/routes'
const dialogue = ['chat', 'stream', 'tools', 'form'] as const
const aiSdk = { [`${routes}/ai-sdk.test.ts`]: [...dialogue, 'errors'] } as const
const liteLlm = { [`${routes}/litellm.test.ts`]: ['chat', 'stream', 'tools'] } as const
const langChain = { [`${routes}/langchain.test.ts`]: dialogue } as const

/** Every client of `docs/clients.md`. Tests of a client are declared by `callsOf`, which refuses what is not listed here. */
export const clients = {
  'openai-npm': {
    name: 'OpenAI, npm `openai`, chat and completions',
    settings: '`OPENAI_BASE_URL=http://127.0.0.1:5000/v1`, `OPENAI_API_KEY=none`',
    heldBy: {
      [`${routes}/openai/openai-client.test.ts`]: [
        ...dialogue,
        ...(['thoughts', 'text', 'embeddings', 'models', 'leaves', 'errors'] as const),
      ],
      'tests/e2e/openai-clients.test.ts': [
        ...([
          'chat',
          'stream',
          'tools',
          'form',
          'scores',
          'embeddings',
          'models',
          'leaves',
          'errors',
        ] as const),
      ],
    },
  },
  'openai-npm-responses': {
    name: 'OpenAI, npm `openai`, Responses',
    settings: 'the same, with `client.responses`',
    heldBy: {
      [`${routes}/responses/responses-client.test.ts`]: [
        ...dialogue,
        ...(['thoughts', 'scores', 'kept', 'leaves', 'errors'] as const),
      ],
    },
  },
  'openai-pypi': {
    name: 'OpenAI, PyPI `openai`',
    settings: 'as for npm',
    heldBy: {
      'tests/e2e/python-clients.test.ts': [
        ...dialogue,
        ...(['text', 'scores', 'embeddings', 'models', 'kept', 'errors'] as const),
      ],
    },
  },
  'anthropic-npm': {
    name: 'Anthropic, npm `@anthropic-ai/sdk`',
    settings: '`ANTHROPIC_BASE_URL=http://127.0.0.1:5000`, `ANTHROPIC_API_KEY=none`',
    heldBy: {
      [`${routes}/anthropic/anthropic-client.test.ts`]: [
        ...(['chat', 'stream', 'tools', 'thoughts', 'tokens', 'models', 'errors'] as const),
      ],
      'tests/e2e/openai-clients.test.ts': ['stream', 'tools', 'tokens', 'leaves'],
    },
  },
  'anthropic-pypi': {
    name: 'Anthropic, PyPI `anthropic`',
    settings: 'as for npm',
    heldBy: {
      'tests/e2e/python-clients.test.ts': ['chat', 'stream', 'tools', 'tokens', 'models', 'errors'],
    },
  },
  'ollama-npm': {
    name: 'Ollama, npm `ollama`',
    settings: '`OLLAMA_HOST=http://127.0.0.1:5000`; a key as `Authorization: Bearer`',
    heldBy: {
      [`${routes}/ollama/ollama-client.test.ts`]: [
        ...dialogue,
        ...(['thoughts', 'text', 'scores', 'embeddings', 'models', 'kept', 'errors'] as const),
      ],
      'tests/e2e/ollama-clients.test.ts': ['stream', 'form', 'text', 'embeddings', 'kept', 'leaves'],
    },
  },
  'ollama-pypi': {
    name: 'Ollama, PyPI `ollama`',
    settings: 'as for npm',
    heldBy: {
      'tests/e2e/ollama-clients.test.ts': [
        ...(['chat', 'stream', 'text', 'embeddings', 'models', 'kept', 'errors'] as const),
      ],
    },
  },
  'ai-sdk-openai-compatible': {
    name: 'Vercel AI SDK, `@ai-sdk/openai-compatible`',
    settings:
      "`createOpenAICompatible({ name, baseURL: 'http://127.0.0.1:5000/v1', includeUsage: true, supportsStructuredOutputs: true })`",
    heldBy: { [`${routes}/ai-sdk.test.ts`]: [...dialogue, 'embeddings', 'errors'] },
  },
  'ai-sdk-openai-responses': {
    name: 'Vercel AI SDK, `@ai-sdk/openai`, Responses',
    settings: "`createOpenAI({ baseURL: 'http://127.0.0.1:5000/v1', apiKey: 'none' })('MODEL')`",
    heldBy: aiSdk,
  },
  'ai-sdk-openai-chat': {
    name: 'Vercel AI SDK, `@ai-sdk/openai`, chat',
    settings: "the same, with `.chat('MODEL')`",
    heldBy: aiSdk,
  },
  'ai-sdk-anthropic': {
    name: 'Vercel AI SDK, `@ai-sdk/anthropic`',
    settings: "`createAnthropic({ baseURL: 'http://127.0.0.1:5000/v1', apiKey: 'none' })('MODEL')`",
    heldBy: aiSdk,
  },
  'ai-sdk-ollama': {
    name: 'Vercel AI SDK, `ai-sdk-ollama`',
    settings: "`createOllama({ baseURL: 'http://127.0.0.1:5000' })('MODEL')`",
    heldBy: aiSdk,
  },
  'langchain-openai': {
    name: 'LangChain, `@langchain/openai`, chat',
    settings:
      "`new ChatOpenAI({ model: 'MODEL', apiKey: 'none', configuration: { baseURL: 'http://127.0.0.1:5000/v1' } })`",
    heldBy: { [`${routes}/langchain.test.ts`]: [...dialogue, 'embeddings'] },
  },
  'langchain-openai-responses': {
    name: 'LangChain, `@langchain/openai`, Responses',
    settings: 'the same, with `useResponsesApi: true`',
    heldBy: langChain,
  },
  'langchain-anthropic': {
    name: 'LangChain, `@langchain/anthropic`',
    settings:
      "`new ChatAnthropic({ model: 'MODEL', apiKey: 'none', anthropicApiUrl: 'http://127.0.0.1:5000' })`",
    heldBy: langChain,
  },
  'langchain-ollama': {
    name: 'LangChain, `@langchain/ollama`',
    settings: "`new ChatOllama({ model: 'MODEL', baseUrl: 'http://127.0.0.1:5000' })`",
    heldBy: { [`${routes}/langchain.test.ts`]: [...dialogue, 'embeddings'] },
  },
  'litellm-openai': {
    name: 'LiteLLM, PyPI `litellm`, `openai/`, `hosted_vllm/`, `llamafile/`, `lm_studio/`',
    settings:
      "`completion(model='openai/MODEL', api_base='http://127.0.0.1:5000/v1', api_key='none')`; also `responses(…)`",
    heldBy: liteLlm,
    byHand: {
      version: '1.110.2',
      date: '2026-11-29',
      calls: [...dialogue, 'embeddings', 'kept', 'errors'],
    },
  },
  'litellm-anthropic': {
    name: 'LiteLLM, `anthropic/`',
    settings: "`completion(model='anthropic/MODEL', api_base='http://127.0.0.1:5000', api_key='none')`",
    heldBy: liteLlm,
    byHand: { version: '1.110.2', date: '2026-11-29', calls: [...dialogue, 'errors'] },
  },
  'litellm-ollama': {
    name: 'LiteLLM, `ollama_chat/`; without tools `ollama/`',
    settings: "`completion(model='ollama_chat/MODEL', api_base='http://127.0.0.1:5000')`",
    heldBy: liteLlm,
    byHand: { version: '1.110.2', date: '2026-11-29', calls: [...dialogue, 'embeddings', 'errors'] },
  },
  'litellm-petals': {
    name: 'LiteLLM, `petals/`, its provider for the original app',
    settings: "`completion(model='petals/MODEL', api_base='http://127.0.0.1:5000/api/v1/generate')`",
    heldBy: {},
    byHand: { version: '1.110.2', date: '2026-11-29', calls: ['chat', 'stream', 'errors'] },
  },
  'chat-petals-dev': {
    name: 'clients of chat.petals.dev',
    settings: 'the address of `/api/v1/generate` or `/api/v2/generate`',
    heldBy: { 'tests/e2e/original-clients.test.ts': ['text', 'stream', 'kept', 'leaves', 'errors'] },
  },
  'lm-eval': {
    name: 'lm-eval, PyPI `lm-eval`',
    settings: '[below](#lm-eval)',
    heldBy: { 'tests/e2e/lm-eval.test.ts': ['chat', 'text', 'scores', 'tokens'] },
    byHand: { version: '0.4.13', date: '2026-11-29', calls: ['chat', 'text', 'scores', 'tokens'] },
  },
  'claude-code': {
    name: 'Claude Code',
    heldBy: { [`${routes}/coding-agents.test.ts`]: ['stream', 'tools'] },
    byHand: { version: '2.1.332', date: '2026-11-29', calls: ['stream', 'tools'] },
  },
  opencode: {
    name: 'opencode',
    heldBy: { [`${routes}/coding-agents.test.ts`]: ['stream', 'tools'] },
    byHand: { version: '1.18.33', date: '2026-11-29', calls: ['stream', 'tools'] },
  },
  codex: {
    name: 'Codex',
    heldBy: { [`${routes}/responses/codex.test.ts`]: ['stream', 'tools'] },
    byHand: { version: '0.171.0', date: '2026-11-29', calls: ['stream', 'tools'] },
  },
} as const satisfies Readonly<Record<string, ClientEntry>>

/** The id of a client. */
export type ClientId = keyof typeof clients

type HeldBy<Id extends ClientId> = (typeof clients)[Id]['heldBy']

/** The calls that tests of a client hold. */
export type HeldCall<Id extends ClientId> = Extract<
  Extract<HeldBy<Id>[keyof HeldBy<Id>], readonly unknown[]>[number],
  Call
>
