import type { z } from 'zod'

/** A media type that is no JSON: text, an event stream. */
export type Content = z.ZodType | { readonly text: string }

export const isSchema = (content: Content): content is z.ZodType => !('text' in content)

export interface OperationParameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly schema: z.ZodType
  readonly description: string
}

/** One route, as the OpenAPI document and the page at /docs describe it. */
export interface Operation {
  readonly id: string
  readonly method: 'get' | 'post' | 'delete'
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly OperationParameter[]
  /** The body by media type. */
  readonly request?: Readonly<Record<string, z.ZodType>>
  /** Body of the example, but for the model. */
  readonly example?: Readonly<Record<string, unknown>>
  /** Successful answers by status, then media type. */
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content: Readonly<Record<string, Content>> }>
  >
  readonly error: z.ZodType
  readonly errorStatuses: readonly number[]
}

export interface OperationTag {
  readonly name: string
  readonly description: string
}

/** Plain words for the statuses that errors come with (docs/errors.md has all of them). */
export const statusMeanings: Readonly<Record<number, string>> = {
  400: 'The request is wrong: the message says where.',
  403: 'The model’s licence, or the origin of the page, does not allow this.',
  404: 'There is no such model, or the answer is not kept any more.',
  429: 'Everything is busy; `retry-after` says when to come back.',
  502: 'The engine could not finish the answer.',
  503: 'The model can’t answer now; the message says why.',
}
