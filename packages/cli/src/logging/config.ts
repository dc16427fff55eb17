import { z } from 'zod'

/** The `log:` section of petals-chat.yaml. Logs go to stderr. */
export const logConfigSchema = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('The lowest level that is logged. Prompts and answers are logged only at debug.'),
  format: z
    .enum(['auto', 'pretty', 'json'])
    .default('auto')
    .describe(
      'pretty: lines for people; json: one JSON object for each record; auto: pretty on a terminal, else json.',
    ),
})

export type LogConfig = Readonly<z.output<typeof logConfigSchema>>
