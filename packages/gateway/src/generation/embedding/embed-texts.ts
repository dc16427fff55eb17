import type { EmbeddingRequest } from '@petals-chat/api'
import { InvalidRequestError, type Model, type ModelSpec, type TokenId } from '@petals-chat/engine'
import type { GatewayConfig } from '../../config.ts'
import type { Claim, EmbeddingModel, GatewayContext } from '../../context.ts'
import type { EventContext } from '../stream/stream-options.ts'
import { encodePrompts } from '../request/encode-prompts.ts'
import { answerLength, checkRequestTokens } from '../request/limits.ts'
import { callerOf, resolveModel } from '../request/resolve-model.ts'

export interface TextsToEmbed extends Pick<EmbeddingRequest, 'model' | 'input' | 'dimensions'> {
  /** Leave out the end of an input that is longer than the context (default: it is refused). */
  readonly truncate?: boolean | undefined
  /** The field with the inputs; default `input`. */
  readonly param?: string
}

/** Vectors of length 1, one for each input. */
export interface EmbeddedTexts {
  readonly spec: ModelSpec
  readonly vectors: readonly Float32Array[]
  /** Tokens of all inputs. */
  readonly tokens: number
  /** When the model was loaded, on the clock of `performance.now()`. */
  readonly loadedAt: number
}

/** Embeds the texts of a request. @throws InvalidRequestError, ContextLengthError, ModelNotFoundError, CapacityError */
export async function embedTexts(
  c: EventContext,
  context: GatewayContext,
  request: TextsToEmbed,
): Promise<EmbeddedTexts> {
  const spec = resolveModel(context, request.model, callerOf(c))
  const { signal, account, allowance } = c.var
  context.sessions.assertRoom(spec.id, { account }, 'embedding')
  const model = await context.registry.get(spec.id, { signal })
  const loadedAt = performance.now()
  const inputs = await encodeInputs(request, model, spec, context.config)
  const tokens = inputs.reduce((sum, { length }) => sum + length, 0)
  await using _request = await allowance?.openRequest({ prompts: tokens, answers: 0, longestAnswer: 0 })
  const vectors = await embedAll(context, model, inputs, { signal, account, allowance })
  checkDimensions(request.dimensions, vectors[0]!.length)
  return { spec, vectors, tokens, loadedAt }
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
