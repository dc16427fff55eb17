import type { LlamaEmbeddingContext, LlamaModel } from 'node-llama-cpp'
import type { TokenId } from '@petals-chat/engine'

/** A text is embedded in one step, whose buffers grow with its length. A few pages of text have fewer tokens. */
const MAX_EMBEDDING_LENGTH = 2048

/** Embeds texts in its own context, which is created for the first text. */
export class Embedder {
  /** In tokens. */
  readonly maxLength: number
  readonly #model: LlamaModel
  readonly #threads: number
  #context: Promise<LlamaEmbeddingContext> | undefined

  constructor(model: LlamaModel, threads: number) {
    this.#model = model
    this.#threads = threads
    // Two tokens are reserved for those that the model adds around a text.
    this.maxLength = Math.min(model.trainContextSize, MAX_EMBEDDING_LENGTH) - 2
  }

  /** Returns the vector of the model's pooling (of the last token if it has none), scaled to the L2 norm 1. */
  async embed(tokens: readonly TokenId[]): Promise<Float32Array> {
    const context = await (this.#context ??= this.#createContext())
    const { vector } = await context.getEmbeddingFor(tokens as Parameters<typeof context.getEmbeddingFor>[0])
    const norm = Math.hypot(...vector)
    if (!(norm > 0 && norm < Infinity)) throw new Error('the embedding is no valid vector')
    return Float32Array.from(vector, (value) => value / norm)
  }

  /** If the context can't be created (too little memory, for example), the next text tries again. */
  #createContext(): Promise<LlamaEmbeddingContext> {
    const contextSize = this.maxLength + 2
    const options = { contextSize, batchSize: contextSize, threads: this.#threads }
    const context = this.#model.createEmbeddingContext(options)
    context.catch(() => (this.#context = undefined))
    return context
  }
}
