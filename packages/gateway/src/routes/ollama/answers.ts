import {
  type CompletionRequest,
  ollamaChatRequestSchema,
  type OllamaGenerateRequest,
  ollamaGenerateRequestSchema,
  type OllamaThink,
} from '@petals-chat/api'
import { generationDefaults, InvalidRequestError } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayContext, GatewayVariables, RouteModule } from '../../context.ts'
import { respondWithAnswer } from '../../generation/answer/respond-with-answer.ts'
import type { ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import { prepareChat } from '../../generation/chat/prepare-chat.ts'
import type { CompletionJob, CompletionTypes } from '../../generation/completion/completion-choice-reader.ts'
import { prepareCompletion } from '../../generation/completion/prepare-completion.ts'
import { inNames } from '../../generation/request/field-names.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { callerOf, resolveModel } from '../../generation/request/resolve-model.ts'
import type { EventContext } from '../../generation/stream/stream-options.ts'
import { ollamaDialect, type Piece } from './answer-dialect.ts'
import { ChatPieces } from './chat-pieces.ts'
import { prepareInContext } from './dialogue-context.ts'
import { AnswerPieces, ContinuationPieces } from './generate-pieces.ts'
import { meantModel, type NamedModel } from './model-name.ts'
import { commonFields, ollamaNames, promptAsChat, toChatRequest } from './to-chat-request.ts'
import { unsupportedOllamaChatParameters, unsupportedOllamaGenerateParameters } from './unsupported.ts'

/** `POST /api/chat` and `POST /api/generate`. */
export const ollamaAnswerRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>()
    .post('/api/chat', async (c) => {
      const request = await parseRequest(c.req, ollamaChatRequestSchema, unsupportedOllamaChatParameters)
      const model = meantModel(context.registry, c.var.caller, request)
      if (!request.messages?.length) return loadOnly(c, context, request, new ChatPieces(noOptions).empty())
      const options = piecesOptions(request)
      return respondWithAnswer<ReturnType<typeof toChatRequest>, ChatTypes, ChatJob>(
        c,
        context,
        toChatRequest(request, model),
        (...args) => inNames(ollamaNames, () => prepareChat(...args)),
        ollamaDialect(model ?? '', () => new ChatPieces(options)),
      )
    })
    .post('/api/generate', async (c) => {
      const request = await parseRequest(
        c.req,
        ollamaGenerateRequestSchema,
        unsupportedOllamaGenerateParameters,
      )
      if (!request.prompt)
        return loadOnly(c, context, request, new AnswerPieces(noOptions, undefined).empty())
      return request.raw ? continueText(c, context, request) : answerMessage(c, context, request)
    })

const noOptions = { hidesThoughts: false, logprobs: false }

interface PiecesRequest {
  readonly think?: OllamaThink
  readonly logprobs?: boolean | null | undefined
}

const piecesOptions = ({ think, logprobs }: PiecesRequest) => ({
  hidesThoughts: think === false,
  logprobs: logprobs ?? false,
})

function answerMessage(c: EventContext, context: GatewayContext, request: OllamaGenerateRequest) {
  const model = meantModel(context.registry, c.var.caller, request)
  const options = piecesOptions(request)
  return respondWithAnswer<ReturnType<typeof promptAsChat>, ChatTypes, ChatJob>(
    c,
    context,
    promptAsChat(request, model),
    (given, spec, chat, signal) =>
      inNames(ollamaNames, () => prepareInContext(given, spec, chat, request.context ?? [], signal)),
    ollamaDialect(model ?? '', (job) => new AnswerPieces(options, job)),
  )
}

function continueText(c: EventContext, context: GatewayContext, request: OllamaGenerateRequest) {
  for (const param of ['system', 'context'] as const) if (request[param]?.length) throw notRaw(param)
  const model = meantModel(context.registry, c.var.caller, request)
  const fields = { ...commonFields(request, model), prompt: request.prompt! }
  return respondWithAnswer<CompletionRequest, CompletionTypes, CompletionJob>(
    c,
    context,
    fields,
    (given, spec, completion, signal) => {
      // As long as an answer, not as a completion of OpenAI.
      const unasked = generationDefaults(spec, given.registry.peek(spec.id)).max_new_tokens
      const max_tokens = completion.max_tokens ?? unasked
      const logprobs = request.logprobs ? (request.top_logprobs ?? true) : undefined
      return inNames(ollamaNames, () =>
        prepareCompletion(given, spec, { ...completion, max_tokens, logprobs }, signal),
      )
    },
    ollamaDialect(model ?? '', () => new ContinuationPieces(piecesOptions(request))),
  )
}

const notRaw = (param: string): InvalidRequestError =>
  new InvalidRequestError(`'${param}' can't be combined with 'raw': put its words into 'prompt'.`, {
    param,
    reason: 'invalid_value',
  })

/** A duration of zero, as a number or in the notation of Go: `ollama stop` sends `0s`. */
const NO_TIME = /^[+-]?0+(\.0*)?(ns|us|µs|μs|ms|s|m|h)?$/

/** A request without words loads its model, so that the first answer comes sooner. */
async function loadOnly(
  c: EventContext,
  context: GatewayContext,
  request: NamedModel & { readonly keep_alive?: unknown },
  empty: Piece,
): Promise<Response> {
  const spec = resolveModel(context, meantModel(context.registry, c.var.caller, request), callerOf(c))
  if (NO_TIME.test(String(request.keep_alive))) throw staysLoaded(spec.id)
  await context.registry.load(spec.id, { signal: c.var.signal })
  return c.json({
    model: spec.id,
    created_at: new Date().toISOString(),
    ...empty,
    done: true,
    done_reason: 'load',
  })
}

const staysLoaded = (id: string): InvalidRequestError =>
  new InvalidRequestError(
    `The configuration of this server decides how long '${id}' stays loaded (unloadAfterMs), not 'keep_alive'.`,
    { param: 'keep_alive', reason: 'unsupported_parameter' },
  )
