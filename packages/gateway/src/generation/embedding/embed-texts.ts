import {
  InvalidRequestError,
  isRemoteModel,
  type Model,
  type ModelSpec,
  type ServedModel,
  type TokenId,
} from '@petals-chat/engine'
import type { GatewayConfig } from '../../config.ts'
import type { Claim, EmbeddingModel, GatewayContext } from '../../context.ts'
import type { EventContext } from '../stream/stream-options.ts'
import { encodePrompts } from '../request/encode-prompts.ts'
import { answerLength, checkRequestTokens } from '../request/limits.ts'
import { callerOf, resolveModel } from '../request/resolve-model.ts'
import { embedRemotely } from './embed-remotely.ts'
import type { EmbeddedTexts, TextsToEmbed } from './embedding.ts'

/**
 * Embeds the texts of a request, here or at the server of the model.
 * @throws InvalidRequestError, ContextLengthError, ModelNotFoundError, CapacityError, ModelUnavailableError
 */
export async function embedTexts(
  c: EventContext,
  context: GatewayContext,
  request: TextsToEmbed,
): Promise<EmbeddedTexts> {
  const spec = resolveModel(context, request.model, callerOf(c))
  const { signal, account, allowance } = c.var
  context.sessions.assertRoom(spec.id, { account }, 'embedding')
  const model = await context.registry.load(spec.id, { signal })
  const loadedAt = performance.now()
  const claim = { signal, account, allowance }
  const embedded = isRemoteModel(model)
    ? await embedRemotely(context, requireEmbeddings(model), spec, request, {
        ...claim,
        via: c.req.header('via'),
      })
    : await embedHere(context, model, spec, request, claim)
  checkDimensions(request.dimensions, embedded.vectors[0]!.length)
  return { spec, loadedAt, ...embedded }
}

async function embedHere(
  context: GatewayContext,
  model: Model,
  spec: ModelSpec,
  request: TextsToEmbed,
  claim: Claim,
): Promise<Pick<EmbeddedTexts, 'vectors' | 'tokens'>> {
  const inputs = await encodeInputs(request, model, spec, context.config)
  const tokens = inputs.reduce((sum, { length }) => sum + length, 0)
  await using _request = await claim.allowance?.openRequest({ prompts: tokens, answers: 0, longestAnswer: 0 })
  return { vectors: await embedAll(context, requireEmbeddings(model), inputs, claim), tokens }
}

async function encodeInputs(
  { input, truncate = false, param = 'input' }: TextsToEmbed,
  model: Model,
  spec: ModelSpec,
  config: GatewayConfig,
): Promise<readonly (readonly TokenId[])[]> {
  const longest = Math.min(model.contextLength, spec.maxSessionLength ?? Infinity)
  const encoded = (await encodePrompts(input, model, param)).map(({ tokens }) =>
    truncate ? tokens.slice(0, longest) : tokens,
  )
  const prompts = encoded.map(({ length }) => ({ promptTokens: length, maxNewTokens: 0 }))
  checkRequestTokens({ param, prompts, choices: 1 }, model, config)
  for (const { promptTokens } of prompts) answerLength(model, spec, { promptTokens, requested: 0 })
  return encoded
}

/** Embeds one input after another. Other clients have their turns in between. */
async function embedAll(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  model: EmbeddingModel,
  inputs: readonly (readonly TokenId[])[],
  claim: Claim,
): Promise<readonly Float32Array[]> {
  const vectors: Float32Array[] = []
  for (const tokens of inputs) {
    vectors.push(await sessions.embed(model, tokens, { ...claim, isContinued: vectors.length > 0 }))
  }
  return vectors
}

/** @throws InvalidRequestError if the model's engine returns no embeddings */
function requireEmbeddings<Served extends ServedModel>(
  model: Served,
): Served & Required<Pick<Served, 'embed'>> {
  if (hasEmbeddings(model)) return model
  throw new InvalidRequestError(
    `The engine of the model '${model.id}' does not return embeddings. Use a model whose capabilities have "embeddings" (GET /v1/models).`,
    { param: 'model', reason: 'unsupported_value' },
  )
}

const hasEmbeddings = <Served extends ServedModel>(
  model: Served,
): model is Served & Required<Pick<Served, 'embed'>> =>
  model.embed !== undefined && (isRemoteModel(model) || model.capabilities.embeddings)

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
