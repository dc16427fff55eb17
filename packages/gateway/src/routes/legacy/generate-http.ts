import type { LegacyResponse } from '@petals-chat/api'
import { InvalidRequestError, type ModelSpec, type SamplingParams, type TokenId } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayContext, GatewayVariables, RouteModule } from '../../context.ts'
import { GatewayError } from '../../errors.ts'
import { substituteFor } from '../../generation/answer/fallback.ts'
import { resolveExactModel, resolveModel } from '../../generation/request/resolve-model.ts'
import { handleMethodNotAllowed } from '../../middleware/error-handler.ts'
import { allowedLength, assertFits, generateChunks, promptTokens } from './generate-chunks.ts'
import { type LengthParams, parseLength, parseSampling } from './generate-params.ts'
import { type RawParams, textParam } from './python-values.ts'
import { readParams } from './request-params.ts'

/** `/api/v1/generate`: one answer to one prompt. */
export const legacyHttpRoutes: RouteModule = (context) => {
  const app = new Hono<{ Variables: GatewayVariables }>()
  app.all('/api/v2/generate', () => {
    throw new GatewayError(
      'bad_request',
      'Connect to /api/v2/generate by WebSocket, or use /api/v1/generate.',
    )
  })
  return app.on([...GENERATE_METHODS], '/api/v1/generate', async (c) => {
    if (c.req.method === 'HEAD') return handleMethodNotAllowed(c, GENERATE_METHODS)
    return c.json(await generate(context, await readParams(c), c.var))
  })
}

/** Without HEAD: a request for the headers alone must not keep a model busy. */
const GENERATE_METHODS: readonly string[] = ['GET', 'POST']

interface Prompt {
  readonly inputs: string | undefined
  readonly sampling: SamplingParams
  readonly requested: LengthParams
}

async function generate(
  context: GatewayContext,
  params: RawParams,
  variables: GatewayVariables,
): Promise<LegacyResponse> {
  const inputs = textParam(params, 'inputs')
  const sampling = parseSampling(params)
  const requested = parseLength(params)
  assertLengthGiven(requested)
  // As in the original: restricted models answer the page only by WebSocket.
  const caller = { isSameOrigin: false, caller: variables.caller, quota: variables.quota }
  const spec = resolveModel(context, textParam(params, 'model'), caller)
  const prompt = { inputs, sampling, requested }
  try {
    return { ok: true, outputs: await outputsOf(context, spec, prompt, variables) }
  } catch (error) {
    const find = (id: string) => resolveExactModel(context, id, caller)
    const substitute = substituteFor(error, { spec, find, logger: variables.logger })
    const outputs = await outputsOf(context, substitute.spec, prompt, variables).catch((refusal: unknown) => {
      throw substitute.refusedBoth(refusal)
    })
    return { ok: true, outputs, model: substitute.spec.id, petals: { fallback: substitute.told } }
  }
}

async function outputsOf(
  context: GatewayContext,
  spec: ModelSpec,
  { inputs, sampling, requested }: Prompt,
  { signal, logger, account, allowance }: GatewayVariables,
): Promise<string> {
  context.sessions.assertRoom(spec.id, { account })
  const model = await context.registry.get(spec.id, { signal })
  const prompt = promptTokens(model, [], inputs)
  const length = limitLength(requested, prompt.length, allowedLength(spec, model))
  const maxLength = sessionLength(length, prompt.length)
  assertFits(prompt.length, maxLength)
  await using lease = await context.sessions.acquire(model, {
    tokens: prompt,
    maxLength,
    account,
    allowance,
    signal,
    logger,
  })
  return model.tokenizer.decode(
    await first(generateChunks(model, lease.session, { prompt, length, sampling, maxLength, signal })),
  )
}

async function first(chunks: AsyncIterable<readonly TokenId[], never>): Promise<readonly TokenId[]> {
  for await (const chunk of chunks) return chunk
  return []
}

/** Petals' own rule: the servers of a swarm reserve memory for a whole session before its first token. */
function assertLengthGiven({ maxLength, maxNewTokens }: LengthParams): void {
  if (maxLength !== undefined || maxNewTokens !== undefined) return
  throw new InvalidRequestError('You should set `max_length` or `max_new_tokens`.', {
    param: 'max_new_tokens',
    reason: 'missing_required_parameter',
  })
}

/** Shortens the answer to the length that is allowed. @throws ContextLengthError if the prompt alone is longer. */
function limitLength(requested: LengthParams, promptLength: number, allowed: number): LengthParams {
  const cut = (tokens: number | undefined, limit: number) => tokens && Math.min(tokens, limit)
  assertFits(promptLength, allowed)
  return {
    maxLength: cut(requested.maxLength, allowed),
    maxNewTokens: cut(requested.maxNewTokens, Math.max(allowed - promptLength, 1)),
  }
}

function sessionLength({ maxLength = 0, maxNewTokens }: LengthParams, promptLength: number): number {
  return maxNewTokens === undefined ? maxLength : promptLength + maxNewTokens
}
