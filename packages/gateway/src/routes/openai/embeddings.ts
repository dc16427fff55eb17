import { type EmbeddingRequest, type EmbeddingResponse, embeddingRequestSchema } from '@petals-chat/api'
import { InvalidRequestError, type Model, type ModelSpec, type TokenId } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayConfig } from '../../config.ts'
import type { Claim, EmbeddingModel, GatewayContext, GatewayVariables, RouteModule } from '../../context.ts'
import { encodePrompts } from '../../generation/request/encode-prompts.ts'
import { callerOf, resolveModel } from '../../generation/request/resolve-model.ts'
import { answerLength, checkRequestTokens } from '../../generation/request/limits.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { unsupportedEmbeddingParameters } from './unsupported.ts'
import { newResponseHead } from './response/head.ts'

/** `POST /v1/embeddings`: texts as vectors of length 1. */
export const embeddingRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().post('/v1/embeddings', async (c) => {
    const request = await parseRequest(c.req, embeddingRequestSchema, unsupportedEmbeddingParameters)
    const spec = resolveModel(context, request.model, callerOf(c))
    const { signal, account, allowance } = c.var
    context.sessions.assertRoom(spec.id, { account }, 'embedding')
    const model = await context.registry.get(spec.id, { signal })
    const inputs = await encodeInputs(request, model, spec, context.config)
    const tokens = inputs.reduce((sum, { length }) => sum + length, 0)
    await using _request = await allowance?.openRequest({ prompts: tokens, answers: 0, longestAnswer: 0 })
    const claim = { signal, account, allowance }
    const vectors = await embedAll(context, model, inputs, claim)
    checkDimensions(request.dimensions, vectors[0]!.length)
    const { id, created } = newResponseHead('embd', spec, context.version)
    return c.json({
      id,
      object: 'list',
      created,
      data: vectors.map((vector, index) => ({
        object: 'embedding',
        index,
        embedding: request.encoding_format === 'base64' ? toBase64(vector) : [...vector],
      })),
      model: spec.id,
      usage: { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens },
    } satisfies EmbeddingResponse)
  })

async function encodeInputs(
  { input }: EmbeddingRequest,
  model: Model,
  spec: ModelSpec,
  config: GatewayConfig,
): Promise<readonly (readonly TokenId[])[]> {
  const encoded = await encodePrompts(input, model, 'input')
  const prompts = encoded.map(({ tokens }) => ({ promptTokens: tokens.length, maxNewTokens: 0 }))
  checkRequestTokens({ param: 'input', prompts, choices: 1 }, model, config)
  return encoded.map(({ tokens }) => {
    answerLength(model, spec, { promptTokens: tokens.length, requested: 0 })
    return tokens
  })
}

/** Embeds one input after another. Other clients have their turns in between. */
async function embedAll(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  model: Model,
  inputs: readonly (readonly TokenId[])[],
  claim: Claim,
): Promise<readonly Float32Array[]> {
  if (!hasEmbeddings(model)) {
    throw new InvalidRequestError(
      `The engine of the model '${model.id}' does not return embeddings. Use a model whose capabilities have "embeddings" (GET /v1/models).`,
      { param: 'model', reason: 'unsupported_value' },
    )
  }
  const vectors: Float32Array[] = []
  for (const tokens of inputs) {
    vectors.push(await sessions.embed(model, tokens, { ...claim, isContinued: vectors.length > 0 }))
  }
  return vectors
}

const hasEmbeddings = (model: Model): model is EmbeddingModel =>
  model.embed !== undefined && model.capabilities.embeddings

function checkDimensions(wanted: number | null | undefined, given: number): void {
  if (wanted == null || wanted === given) return
  throw new InvalidRequestError(
    `Invalid 'dimensions': embeddings of this model have ${given} dimensions, not ${wanted}.`,
    {
      param: 'dimensions',
      reason: 'unsupported_value',
    },
  )
}

function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
