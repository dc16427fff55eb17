import { z } from 'zod'

/** `server.tracing`: traces of requests for OpenTelemetry. */
export const tracingSchema = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .describe(
      'Where traces are sent, by OTLP over HTTP with JSON, for example http://127.0.0.1:4318/v1/traces.',
    ),
  token: z.string().optional().describe('Sent with each trace as `Authorization: Bearer TOKEN`.'),
  sampleRatio: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe(
      'Share of the requests that are traced, 0 to 1. A request that names a trace of its client follows that trace.',
    ),
})

export type TracingConfig = Readonly<z.output<typeof tracingSchema>>
