import {
  context,
  type Context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base'
import type { TracingConfig } from './tracing-config.ts'
import type { RequestTrace, TracedRequest, TracedWork, Tracing, WorkTrace } from './tracing.ts'

/** A collector that does not answer must not keep the server from ending. */
const CLOSE_MS = 2_000

/** Operations of GenAI conventions by route; all other routes complete a text. */
const operationsByRoute: Readonly<Record<string, string>> = {
  '/v1/chat/completions': 'chat',
  '/v1/embeddings': 'embeddings',
}

/**
 * Sends traces by OTLP: a server span for each request, and below it a span for each piece of work on a model, with the
 * attributes of OpenTelemetry's conventions for HTTP and for generative AI (version 1.37). No span has any text of a prompt
 * or an answer, or who asked.
 */
export function otlpTracing({ endpoint, token, sampleRatio }: TracingConfig, version: string): Tracing {
  const exporter = new OTLPTraceExporter({
    url: endpoint,
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
  })
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'petals-chat', 'service.version': version }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  })
  const tracer = provider.getTracer('petals-chat', version)
  return {
    startRequest: (request) => startRequest(tracer, request),
    async [Symbol.asyncDispose]() {
      const timeout = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref())
      await Promise.race([provider.shutdown().catch(() => {}), timeout])
    },
  }
}

function startRequest(
  tracer: Tracer,
  { method, route, traceparent, requestId }: TracedRequest,
): RequestTrace {
  const span = tracer.startSpan(
    `${method} ${route}`,
    {
      kind: SpanKind.SERVER,
      attributes: { 'http.request.method': method, 'http.route': route, 'petals_chat.request_id': requestId },
    },
    parentOf(traceparent),
  )
  return {
    startWork: (work) => startWork(tracer, trace.setSpan(context.active(), span), route, work),
    end(status) {
      span.setAttribute('http.response.status_code', status)
      if (status >= 500) fail(span, String(status))
      span.end()
    },
  }
}

function startWork(
  tracer: Tracer,
  parent: Context,
  route: string,
  { model, engine, maxNewTokens }: TracedWork,
): WorkTrace {
  const operation = operationsByRoute[route] ?? 'text_completion'
  const startedAt = performance.now()
  const span = tracer.startSpan(
    `${operation} ${model}`,
    {
      kind: SpanKind.INTERNAL,
      attributes: {
        'gen_ai.operation.name': operation,
        'gen_ai.provider.name': engine,
        'gen_ai.request.model': model,
        'gen_ai.response.model': model,
        ...(maxNewTokens > 0 && { 'gen_ai.request.max_tokens': maxNewTokens }),
      },
    },
    parent,
  )
  return {
    sampled({ temperature, topP, topK, seed, presencePenalty, frequencyPenalty }) {
      const attributes = {
        temperature,
        top_p: topP,
        top_k: topK,
        seed,
        presence_penalty: presencePenalty,
        frequency_penalty: frequencyPenalty,
      }
      for (const [name, value] of Object.entries(attributes))
        if (value !== undefined) span.setAttribute(`gen_ai.request.${name}`, value)
    },
    firstToken() {
      span.setAttribute('gen_ai.response.time_to_first_chunk', (performance.now() - startedAt) / 1000)
    },
    end({ promptTokens, cachedTokens, completionTokens, error }) {
      span.setAttributes({
        'gen_ai.usage.input_tokens': promptTokens,
        'gen_ai.usage.cache_read.input_tokens': cachedTokens,
        'gen_ai.usage.output_tokens': completionTokens,
      })
      if (error !== undefined) fail(span, errorType(error))
      span.end()
    },
  }
}

/** The message of an error may have text of the request, so only its kind is sent. */
function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

function errorType(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'unknown'
}

/** W3C Trace Context, version 00; a header that is not well-formed begins a new trace. */
function parentOf(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? '') ?? []
  const isValid = traceId !== undefined && !/^0+$/.test(traceId) && !/^0+$/.test(spanId!)
  if (!isValid) return context.active()
  return trace.setSpanContext(context.active(), {
    traceId,
    spanId: spanId!,
    traceFlags: Number.parseInt(flags!, 16) & 1,
    isRemote: true,
  })
}
