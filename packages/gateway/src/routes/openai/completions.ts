import { completionRequestSchema } from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { respondWithAnswer } from '../../generation/answer/respond-with-answer.ts'
import { prepareCompletion } from '../../generation/completion/prepare-completion.ts'
import { checkBestOf, checkChoices } from '../../generation/request/choices.ts'
import { promptsOf } from '../../generation/request/encode-prompts.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { passedCompletionParameters, passedOn } from './passed.ts'
import { unsupportedCompletionParameters } from './unsupported.ts'
import { completionForm } from './completions/completion-form.ts'
import { openAIDialect } from './response/openai-dialect.ts'

/** `POST /v1/completions`: continues texts, and returns how probable they are. */
export const completionRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().post('/v1/completions', async (c) => {
    const passOn = passedOn(context, c, passedCompletionParameters)
    const request = await parseRequest(
      c.req,
      completionRequestSchema,
      unsupportedCompletionParameters,
      passOn,
    )
    checkBestOf(request.best_of, request.n ?? 1)
    checkChoices(promptsOf(request.prompt).length, request.n ?? 1, context.config.maxChoices)
    return respondWithAnswer(c, context, request, prepareCompletion, openAIDialect(request, completionForm))
  })
