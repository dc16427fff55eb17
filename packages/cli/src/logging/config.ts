import { z } from 'zod'

/** The `log:` section of petals-chat.yaml. Logs go to stderr. */
export const logConfigSchema = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('The least important records that are written. Prompts and answers appear only at debug.'),
  format: z
    .enum(['auto', 'pretty', 'json'])
    .default('auto')
    .describe('Lines for people, or one JSON object each; auto: for people on a terminal, else JSON.'),
})

export type LogConfig = Readonly<z.output<typeof logConfigSchema>>
