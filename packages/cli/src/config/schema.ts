import { gatewayConfigSchema } from '@petals-chat/gateway/config'
import { hubConfigSchema } from '@petals-chat/hub/config'
import { llamaConfigSchema, llamaModelSchema } from '@petals-chat/llama/config'
import { petalsModelSchema, swarmConfigSchema } from '@petals-chat/petals/config'
import { z } from 'zod'
import { logConfigSchema } from '../logging/config.ts'
import type { SchemaNode } from './schema-tree.ts'

/** Node's timers can't wait longer, about 25 days. */
const maxTimerMs = 2 ** 31 - 1

/** An entry of `models:`. Each engine describes its own; `engine` tells which one holds. */
export const modelEntrySchema = z.discriminatedUnion('engine', [llamaModelSchema, petalsModelSchema])

export type ModelEntry = Readonly<z.output<typeof modelEntrySchema>>
/** The entry as a person writes it. */
export type ModelEntryInput = z.input<typeof modelEntrySchema>

/**
 * All of petals-chat.yaml. Each section's schema, with its defaults, belongs to the package that it configures; here
 * they only come together.
 */
export const configSchema = z.strictObject({
  preload: z
    .enum(['first', 'all', 'none'])
    .default('first')
    .describe(
      'Models to load at the start, rather than at their first request: the first one, all, or none.',
    ),
  unloadAfterMs: z
    .int()
    .min(1000)
    .max(maxTimerMs)
    .optional()
    .describe(
      'Milliseconds without a request and without an open session after which a model is unloaded, which frees its memory; its next request loads it again. Left out: models stay loaded.',
    ),
  server: gatewayConfigSchema.prefault({}).describe('The page and the APIs.'),
  models: z
    .array(modelEntrySchema)
    .min(1)
    .optional()
    .describe('The models; the first is the default one. Left out: SmolLM2-135M-Instruct on this machine.'),
  llama: llamaConfigSchema.prefault({}).describe('The engine that runs GGUF models on this machine.'),
  swarm: swarmConfigSchema.prefault({}).describe('The Petals swarm, for models of the engine petals.'),
  hub: hubConfigSchema.prefault({}).describe('Where model files are fetched from and kept.'),
  log: logConfigSchema.prefault({}).describe('Logs; they go to stderr.'),
})

export type Config = Readonly<z.output<typeof configSchema>>

/** The schema as JSON Schema, of what a person may write: for messages, editors and documentation. */
export function configJsonSchema(): SchemaNode {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode
}
