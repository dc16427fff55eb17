import { gatewayConfigSchema } from '@petals-chat/gateway/config'
import { hubConfigSchema } from '@petals-chat/hub/config'
import { llamaConfigSchema, llamaModelSchema } from '@petals-chat/llama/config'
import { petalsModelSchema, swarmConfigSchema } from '@petals-chat/petals/config'
import { toolsConfigSchema } from '@petals-chat/tools/config'
import { upstreamModelSchema } from '@petals-chat/upstream/config'
import { z } from 'zod'
import { logConfigSchema } from '../logging/config.ts'
import type { SchemaNode } from './schema-tree.ts'

/** The longest delay of a timer in Node, about 25 days. */
const maxTimerMs = 2 ** 31 - 1

/** An entry of `models:`. Each engine describes its own entries; `engine` selects the description. */
export const modelEntrySchema = z.discriminatedUnion('engine', [
  llamaModelSchema,
  petalsModelSchema,
  upstreamModelSchema,
])

export type ModelEntry = Readonly<z.output<typeof modelEntrySchema>>
/** An entry of a model that this program runs or takes part in: it has files here. */
export type LocalModelEntry = Exclude<ModelEntry, { readonly engine: 'upstream' }>
/** The entry as it is written in the file. */
export type ModelEntryInput = z.input<typeof modelEntrySchema>

/**
 * The whole of petals-chat.yaml. The schema of each section, with its defaults, belongs to the package that it
 * configures; here they are only combined.
 */
export const configSchema = z.strictObject({
  preload: z
    .enum(['first', 'all', 'none'])
    .default('first')
    .describe('Models to load at the start instead of at their first request: the first one, all, or none.'),
  unloadAfterMs: z
    .int()
    .min(1000)
    .max(maxTimerMs)
    .optional()
    .describe(
      'Milliseconds without a request or an open session after which a model is unloaded, which frees its memory. Its next request loads it again. Left out: models stay loaded.',
    ),
  server: gatewayConfigSchema.prefault({}).describe('The page and the APIs.'),
  models: z
    .array(modelEntrySchema)
    .min(1)
    .optional()
    .describe('The models; the first one is the default. Left out: SmolLM2-135M-Instruct on this machine.'),
  llama: llamaConfigSchema.prefault({}).describe('The engine that runs GGUF models on this machine.'),
  swarm: swarmConfigSchema.prefault({}).describe('The Petals swarm, for models of the engine petals.'),
  tools: toolsConfigSchema.prefault({}).describe('Tools that models may call.'),
  hub: hubConfigSchema.prefault({}).describe('Where model files are downloaded from and kept.'),
  log: logConfigSchema.prefault({}).describe('Logs; they go to stderr.'),
})

export type Config = Readonly<z.output<typeof configSchema>>

const toJsonSchema = (schema: z.ZodType): SchemaNode =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', override: describePattern }) as SchemaNode

type Overridden = Parameters<NonNullable<z.core.JSONSchemaGeneratorParams['override']>>[0]

/** Keeps the words of a pattern, for messages. Editors show them, too, under this name. */
function describePattern({ zodSchema, jsonSchema }: Overridden): void {
  const pattern = zodSchema._zod.def.checks?.find((check) => check instanceof z.core.$ZodCheckRegex)
  // zod keeps words as a function that returns them.
  const words = (pattern?._zod.def.error as (() => unknown) | undefined)?.()
  if (typeof words === 'string') jsonSchema.patternErrorMessage = words
}

let jsonSchema: SchemaNode | undefined

/**
 * Returns the schema of the file as JSON Schema, for messages, editors and documentation. It is made at the first call, since
 * a start without a file or flags needs none of it.
 */
export function configJsonSchema(): SchemaNode {
  jsonSchema ??= toJsonSchema(configSchema)
  return jsonSchema
}

/**
 * Returns the JSON Schema of the value at `path`, the names of keys in nested sections; undefined if there is no such key. Making
 * that of the whole file takes 20 ms, and a start with flags needs only those of their keys.
 */
export function keyJsonSchema(path: readonly string[]): SchemaNode | undefined {
  let schema: z.core.$ZodType | undefined = configSchema
  for (const key of path) {
    const section = withoutWrappers(schema)
    schema = section instanceof z.ZodObject ? (section.shape as z.core.$ZodShape)[key] : undefined
    if (schema === undefined) return undefined
  }
  return toJsonSchema(schema as z.ZodType)
}

/** Returns what `.optional()`, `.default()` and `.prefault()` wrap. */
function withoutWrappers(schema: z.core.$ZodType): z.core.$ZodType {
  const isWrapper =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault
  return isWrapper ? withoutWrappers(schema.unwrap()) : schema
}
