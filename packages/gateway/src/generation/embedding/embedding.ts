import type { EmbeddingRequest } from '@petals-chat/api'
import type { ModelSpec } from '@petals-chat/engine'

export interface TextsToEmbed extends Pick<EmbeddingRequest, 'model' | 'input' | 'dimensions'> {
  /** Leave out the end of an input that is longer than the context (default: it is refused). */
  readonly truncate?: boolean | undefined
  /** The field with the inputs; default `input`. */
  readonly param?: string
}

/** One vector for each input: of length 1, or as another server gave it. */
export interface EmbeddedTexts {
  readonly spec: ModelSpec
  readonly vectors: readonly Float32Array[]
  /** Tokens of all inputs. */
  readonly tokens: number
  /** When the model was loaded, on the clock of `performance.now()`. */
  readonly loadedAt: number
}
