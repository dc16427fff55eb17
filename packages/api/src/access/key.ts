import { z } from 'zod'
import { errorSchema } from '../error.ts'
import { json, type Operation, type OperationParameter, type OperationTag, scopes } from '../operation.ts'
import { accessLimitsSchema } from './access-limits.ts'

export const keyTag: OperationTag = {
  name: 'API keys',
  description:
    'For keys with the scope `admin`, on servers that ask for keys. A key manages only keys that it made, and never grants ' +
    'more than it has. One key of the operator may make or rotate 60 keys a minute, and have 1,000 valid ones ' +
    '(`server.access.maxMadeKeys`), all together that come from it. The operator uses `petals-chat keys`.',
}

const name = z.string().min(1).max(100).describe('For people; unique among the valid keys.')
const seconds = z.int().describe('Seconds since 1970.')

/** The body that makes a key. */
export const newKeySchema = z.strictObject({
  name,
  scopes: z
    .array(z.enum(scopes))
    .optional()
    .describe('What the key may do. Default: models, openai, legacy, swarm.'),
  models: z
    .array(z.string().min(1).max(200))
    .max(1000)
    .nullish()
    .describe('Ids of models, at most 16,384 characters together. Default: those of its maker.'),
  limits: accessLimitsSchema.nullish().describe('Bounds. Default: none.'),
  expires_at: seconds.nullish().describe('Seconds since 1970. Default: when its maker expires, or never.'),
})

/** A key without its secret. */
export const keySchema = z.object({
  id: z.string(),
  object: z.literal('key'),
  name,
  scopes: z.array(z.enum(scopes)),
  models: z.array(z.string()).nullable(),
  limits: accessLimitsSchema,
  created_at: seconds,
  expires_at: seconds.nullable(),
  revoked_at: seconds.nullable(),
  last_used_at: seconds.nullable(),
  made_by: z.string().nullable().describe('Id of the key that made it; null: the operator did.'),
})

/** A new key, or a key with a new secret: the only body that ever has one. */
export const createdKeySchema = keySchema.extend({
  key: z.string().describe('What its user sends. It can’t be read again.'),
})

export const keyListSchema = z.object({ object: z.literal('list'), data: z.array(keySchema) })

/** The body that gives a key a new secret. */
export const rotateKeySchema = z.strictObject({
  grace_seconds: z
    .int()
    .min(0)
    .max(31_536_000)
    .nullish()
    .describe('How long the old secret still counts. Default: 0.'),
})

export type KeyBody = z.output<typeof keySchema>
export type NewKeyBody = z.output<typeof newKeySchema>
export type CreatedKeyBody = z.output<typeof createdKeySchema>
export type KeyListBody = z.output<typeof keyListSchema>

const key: OperationParameter = {
  name: 'key',
  in: 'path',
  schema: z.string(),
  description: 'The id of the key.',
}

const common = {
  tag: keyTag.name,
  scope: 'admin',
  error: errorSchema,
  errorStatuses: [400, 404, 503],
} as const

export const keyOperations: readonly Operation[] = [
  {
    ...common,
    id: 'createKey',
    method: 'post',
    path: '/v1/keys',
    summary: 'Make a key',
    request: json(newKeySchema),
    example: { name: 'lab', scopes: ['models', 'openai'] },
    responses: { 200: { description: 'The key, with its secret.', content: json(createdKeySchema) } },
  },
  {
    ...common,
    id: 'listKeys',
    method: 'get',
    path: '/v1/keys',
    summary: 'Keys that this key has made',
    responses: { 200: { description: 'The keys, revoked ones too.', content: json(keyListSchema) } },
  },
  {
    ...common,
    id: 'rotateKey',
    method: 'post',
    path: '/v1/keys/{key}/rotate',
    summary: 'Give a key a new secret',
    parameters: [key],
    request: json(rotateKeySchema),
    example: { grace_seconds: 3600 },
    responses: { 200: { description: 'The key, with its new secret.', content: json(createdKeySchema) } },
  },
  {
    ...common,
    id: 'revokeKey',
    method: 'delete',
    path: '/v1/keys/{key}',
    summary: 'Revoke a key, and the keys that it made',
    parameters: [key],
    responses: { 200: { description: 'The revoked key.', content: json(keySchema) } },
  },
]
