import {
  type DetokenizeResponse,
  type TokenizeRequest,
  type TokenizeResponse,
  type TokenizerInfo,
  detokenizeRequestSchema,
  tokenizeRequestSchema,
} from '@petals-chat/api'
import {
  InvalidRequestError,
  isRemoteModel,
  type Model,
  type ModelSpec,
  type RemoteModel,
  type TokenId,
} from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { assertMayFit } from '../../generation/request/prompt-length.ts'
import { callerOf, resolveModel } from '../../generation/request/resolve-model.ts'
import { toToolDefinitions } from '../../generation/request/answer-form.ts'
import { chatInput } from '../../generation/remote/chat-fields.ts'
import { chatPrompt } from '../../generation/request/chat-prompt.ts'
import { checkTokens } from '../../generation/request/limits.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { boundaryTexts, contextLengthOf } from '../listed-model.ts'
import { unsupportedTokenizeParameters } from './unsupported.ts'

/**
 * `POST /v1/tokenize` and `POST /v1/detokenize`: text to tokens and tokens to text; without `/v1` as well, where llama-server
 * and vLLM have them. `GET /tokenizer_info` describes the tokenizer.
 */
export const tokenizeRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>()
    .on('POST', ['/v1/tokenize', '/tokenize'], async (c) => {
      const request = await parseRequest(c.req, tokenizeRequestSchema, unsupportedTokenizeParameters)
      const spec = resolveModel(context, request.model, callerOf(c))
      const model = await context.registry.load(spec.id, { signal: c.var.signal })
      if (isRemoteModel(model)) return c.json(await tokenizeRemotely(model, request, c.var.signal))
      const tokens = tokenize(model, request)
      return c.json({
        count: tokens.length,
        max_model_len: model.contextLength,
        tokens,
        token_strs: request.return_token_strs ? tokens.map((token) => model.tokenizer.decode([token])) : null,
      } satisfies TokenizeResponse)
    })
    .on('POST', ['/v1/detokenize', '/detokenize'], async (c) => {
      const request = await parseRequest(c.req, detokenizeRequestSchema)
      const spec = resolveModel(context, request.model, callerOf(c))
      const { tokenizer } = await context.registry.get(spec.id, { signal: c.var.signal })
      checkTokens(request.tokens, tokenizer.vocabSize, 'tokens')
      const text = tokenizer.decode(request.tokens, {
        skipSpecialTokens: request.skip_special_tokens ?? false,
      })
      return c.json({ prompt: text, content: text } satisfies DetokenizeResponse)
    })
    .get('/tokenizer_info', async (c) => {
      const spec = resolveModel(context, c.req.query('model'), callerOf(c))
      const model = await context.registry.get(spec.id, { signal: c.var.signal })
      return c.json(describeTokenizer(spec, model))
    })

function describeTokenizer(spec: ModelSpec, model: Model): TokenizerInfo {
  const { bos, eos } = boundaryTexts(model)
  return {
    model: spec.id,
    tokenizer_class: 'PetalsChat',
    model_max_length: contextLengthOf(spec, model) ?? model.contextLength,
    vocab_size: model.tokenizer.vocabSize,
    bos_token: bos ?? null,
    eos_token: eos ?? null,
    pad_token: eos ?? null,
    chat_template: model.chatTemplate.source ?? null,
  }
}

/** Texts of the tokens are not known here. */
async function tokenizeRemotely(
  model: RemoteModel,
  request: TokenizeRequest,
  signal: AbortSignal,
): Promise<TokenizeResponse> {
  assertOneInput(request)
  const { messages, tools, prompt, content, continue_final_message, add_generation_prompt } = request
  const fields = messages
    ? chatInput({ messages, tools, continue_final_message, add_generation_prompt })
    : { prompt: prompt ?? content }
  const { count, tokens } = await model.tokenize(fields, { signal })
  return { count, max_model_len: model.contextLength, tokens: [...tokens], token_strs: null }
}

function tokenize(model: Model, request: TokenizeRequest): TokenId[] {
  const { messages, tools, prompt, content, add_special_tokens: addSpecialTokens } = request
  assertOneInput(request)
  const text = prompt ?? content ?? ''
  assertMayFit(text, model)
  return messages
    ? chatPrompt(model, { ...request, messages }, tools ? toToolDefinitions(tools) : undefined).tokens
    : model.tokenizer.encode(text, { addSpecialTokens: addSpecialTokens ?? request.add_special ?? true })
}

/** @throws InvalidRequestError unless the request has one text or dialogue */
function assertOneInput({ prompt, content, messages }: TokenizeRequest): void {
  const given = [prompt, content, messages].filter((value) => value != null)
  if (given.length !== 1) {
    throw new InvalidRequestError(`Send either 'prompt' (or 'content', its other name) or 'messages'.`, {
      param: 'prompt',
      reason: given.length === 0 ? 'missing_required_parameter' : 'invalid_value',
    })
  }
}
