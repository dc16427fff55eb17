import {
  ContextLengthError,
  estimateInput,
  type ModelSpec,
  type RemoteEmbeddingRequest,
  type RemoteModel,
} from '@petals-chat/engine'
import type { Claim, GatewayContext, RemoteEmbeddingModel } from '../../context.ts'
import { viaOf } from '../answer/via.ts'
import { MAX_CHARACTERS_PER_TOKEN } from '../remote/remote-fields.ts'
import { promptsOf } from '../request/encode-prompts.ts'
import { checkRequestTokens } from '../request/limits.ts'
import type { EmbeddedTexts, TextsToEmbed } from './embedding.ts'

/** Inputs that another server gets at a time. Other clients have their turns in between, and answers stay small. */
const MAX_INPUTS = 128

export interface RemoteClaim extends Claim {
  /** The header `Via` of the request. */
  readonly via?: string | undefined
}

/**
 * Lets another server embed the texts. Its tokens can only be estimated here: it refuses or shortens what is too long.
 * @throws ContextLengthError if an input can't fit, however few tokens it has; errors of `RemoteModel.embed`
 */
export async function embedRemotely(
  { sessions, config }: Pick<GatewayContext, 'sessions' | 'config'>,
  model: RemoteEmbeddingModel,
  spec: ModelSpec,
  { input, dimensions, truncate, param = 'input' }: TextsToEmbed,
  { via: received, ...claim }: RemoteClaim,
): Promise<Pick<EmbeddedTexts, 'vectors' | 'tokens'>> {
  const via = viaOf(model.id, received)
  const inputs = promptsOf(input)
  if (!truncate) for (const one of inputs) assertMayFit(one, model, spec)
  const prompts = inputs.map((one) => ({ promptTokens: estimateInput(one), maxNewTokens: 0 }))
  checkRequestTokens({ param, prompts, choices: 1 }, model, config)
  const estimate = inputs.reduce((sum, one) => sum + estimateInput(one), 0)
  await using _request = await claim.allowance?.openRequest({
    prompts: estimate,
    answers: 0,
    longestAnswer: 0,
  })
  const vectors: Float32Array[] = []
  let tokens = 0
  while (vectors.length < inputs.length) {
    const some = inputs.slice(vectors.length, vectors.length + MAX_INPUTS)
    const promptTokens = some.reduce((sum, one) => sum + estimateInput(one), 0)
    const turn = { ...claim, promptTokens, via, isContinued: vectors.length > 0 }
    const given = await sessions.embedRemotely(
      model,
      { input: some, dimensions: dimensions ?? undefined },
      turn,
    )
    vectors.push(...given.vectors)
    tokens += given.usage.promptTokens
  }
  return { vectors, tokens }
}

function assertMayFit(
  input: RemoteEmbeddingRequest['input'][number],
  { contextLength = Infinity }: Pick<RemoteModel, 'contextLength'>,
  { maxSessionLength = Infinity }: Pick<ModelSpec, 'maxSessionLength'>,
): void {
  const maximum = Math.min(contextLength, maxSessionLength)
  const fewest = typeof input === 'string' ? input.length / MAX_CHARACTERS_PER_TOKEN : input.length
  if (fewest <= maximum) return
  const about = estimateInput(input)
  throw new ContextLengthError(
    about,
    maximum,
    `This model's maximum context length is ${maximum} tokens. However, an input has about ${about} tokens. Please shorten it.`,
  )
}
