import {
  type OllamaEmbeddingsResponse,
  ollamaEmbeddingsRequestSchema,
  type OllamaEmbedResponse,
  ollamaEmbedRequestSchema,
} from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { embedTexts } from '../../generation/embedding/embed-texts.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { callerOf, resolveModel } from '../../generation/request/resolve-model.ts'
import { RequestClock } from './durations.ts'
import { meantModel } from './model-name.ts'

/** `POST /api/embed` and `POST /api/embeddings`, its older form. */
export const ollamaEmbedRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>()
    .post('/api/embed', async (c) => {
      const clock = new RequestClock()
      const request = await parseRequest(c.req, ollamaEmbedRequestSchema)
      const model = meantModel(context.registry, c.var.caller, request)
      const input = [request.input].flat()
      if (input.every((text) => text === '')) {
        const spec = resolveModel(context, model, callerOf(c))
        await context.registry.load(spec.id, { signal: c.var.signal })
        clock.loaded()
        return c.json({
          model: spec.id,
          embeddings: [],
          ...clock.times,
          prompt_eval_count: 0,
        } satisfies OllamaEmbedResponse)
      }
      const truncate = request.truncate ?? true
      const { dimensions } = request
      const { spec, vectors, tokens, loadedAt } = await embedTexts(c, context, {
        model,
        input,
        dimensions,
        truncate,
      })
      clock.loaded(loadedAt)
      return c.json({
        model: spec.id,
        embeddings: vectors.map((vector) => [...vector]),
        ...clock.times,
        prompt_eval_count: tokens,
      } satisfies OllamaEmbedResponse)
    })
    .post('/api/embeddings', async (c) => {
      const request = await parseRequest(c.req, ollamaEmbeddingsRequestSchema)
      const model = meantModel(context.registry, c.var.caller, request)
      const { vectors } = await embedTexts(c, context, {
        model,
        input: request.prompt,
        truncate: true,
        param: 'prompt',
      })
      return c.json({ embedding: [...vectors[0]!] } satisfies OllamaEmbeddingsResponse)
    })
