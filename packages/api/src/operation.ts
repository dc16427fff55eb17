import type { z } from 'zod'

/** A body that is not JSON, in words. */
export interface TextContent {
  readonly text: string
}

/** A stream: the schema of the JSON in each event (`data:`) or line, and how the stream runs, in words. */
export interface EventContent extends TextContent {
  readonly event: z.ZodType
}

/** The body of one media type. */
export type Content = z.ZodType | TextContent | EventContent

export interface OperationParameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly schema: z.ZodType
  readonly description: string
}

export interface OperationResponse {
  readonly description: string
  /** By media type; empty: the response has no body. */
  readonly content: Readonly<Record<string, Content>>
}

/**
 * What a caller may do, by groups of routes. `models`: see the models; `openai`: /v1, Ollama's API and tools; `legacy`: /api/v1 and /api/v2;
 * `metrics`: /metrics; `swarm`: see the swarm; `admin`: make and revoke keys.
 */
export const scopes = ['models', 'openai', 'legacy', 'swarm', 'metrics', 'admin'] as const

export type Scope = (typeof scopes)[number]

/** One route: what it takes, what it answers, and how it fails. */
export interface Operation {
  /** Unique; the `operationId` of the OpenAPI document. */
  readonly id: string
  readonly method: 'get' | 'post' | 'delete'
  /** Path parameters stand in braces, as in `/v1/models/{model}`. */
  readonly path: string
  /** Name of its `OperationTag`. */
  readonly tag: string
  /** What its caller must be allowed to do; `open`: any client may call it, also where the server asks for keys. */
  readonly scope: Scope | 'open'
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly OperationParameter[]
  /** Request bodies by media type. */
  readonly request?: Readonly<Record<string, z.ZodType>>
  /** The body of the example, without the model. */
  readonly example?: Readonly<Record<string, unknown>>
  /** Successful responses by status. */
  readonly responses: Readonly<Record<number, OperationResponse>>
  /** The messages of a WebSocket after the upgrade, one JSON text each. */
  readonly messages?: { readonly client: z.ZodType; readonly server: z.ZodType }
  /** The body of every error. */
  readonly error: z.ZodType
  /** The error statuses of its own; `errorStatusesOf` adds those of every body, docs/errors.md has those of every request. */
  readonly errorStatuses: readonly number[]
}

/** A group of operations. */
export interface OperationTag {
  readonly name: string
  readonly description: string
}

/** Statuses of calls that run a model. */
export const modelErrorStatuses: readonly number[] = [400, 403, 404, 429, 502, 503]

/** The meaning of error statuses in plain words (docs/errors.md lists every error). */
export const statusMeanings: Readonly<Record<number, string>> = {
  400: 'The request is wrong; the message says where.',
  403: 'The model’s licence, or the origin of the page, does not allow this.',
  404: 'There is no such model, or the answer is no longer kept.',
  413: 'The body is too long.',
  415: 'The body’s coding or charset is not supported.',
  429: 'The server is busy; `retry-after` says when to try again.',
  502: 'The engine could not finish the answer.',
  503: 'The model, or the file of API keys, can’t be used now; the message says why.',
}

/** Every request with a body may fail with these: it is too long, can't be read, or finds no room. */
const bodyErrorStatuses = [413, 415, 429]

/** The error statuses of an operation in ascending order, in addition to those of every request. */
export const errorStatusesOf = ({ request, errorStatuses }: Operation): readonly number[] =>
  [...new Set([...errorStatuses, ...(request ? bodyErrorStatuses : [])])].toSorted(
    (left, right) => left - right,
  )

/** The content of a JSON body. */
export const json = (schema: z.ZodType) => ({ 'application/json': schema })

/** Reports whether a body is JSON with a schema. */
export const isSchema = (content: Content): content is z.ZodType => !('text' in content)
