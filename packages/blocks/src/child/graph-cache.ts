import { type Backend, type Pointer } from '@petals-chat/ggml/native'
import { StepGraph, type GraphPlan, type LoadedBlocks } from '../graph/step-graph.ts'

/** Graphs that are kept: a few sets of sessions that step together. */
const keptGraphs = 8

/** Graphs of recent steps, to be computed again. They share one memory for what lies between input and output. */
export class GraphCache implements Disposable {
  readonly #backend: Backend
  readonly #loaded: LoadedBlocks
  readonly #allocator: Pointer
  readonly #graphs = new Map<string, StepGraph>()

  constructor(backend: Backend, loaded: LoadedBlocks) {
    this.#backend = backend
    this.#loaded = loaded
    this.#allocator = backend.ggml.gallocr_new(backend.bufferType)
  }

  /** The shared memory. */
  get bytes(): number {
    return this.#backend.ggml.gallocr_get_buffer_size(this.#allocator, 0)
  }

  /** Returns a graph for a plan; plans with equal keys must be equal. @throws Error if there is too little memory */
  get(key: string, plan: GraphPlan): StepGraph {
    const known = this.#graphs.get(key)
    if (known) {
      this.#graphs.delete(key)
      this.#graphs.set(key, known)
      return known
    }
    const bytes = this.bytes
    const graph = new StepGraph(this.#backend, this.#loaded, plan)
    try {
      graph.allocate(this.#allocator)
    } catch (error) {
      graph[Symbol.dispose]()
      this.#forget(0) // the allocator has given their memory back before it asked for more
      throw error
    }
    // The memory has moved: the others point to where it was.
    if (this.bytes !== bytes) this.#forget(0)
    this.#graphs.set(key, graph)
    this.#forget(keptGraphs)
    return graph
  }

  [Symbol.dispose](): void {
    this.#forget(0)
    this.#backend.ggml.gallocr_free(this.#allocator)
  }

  #forget(kept: number): void {
    for (const [key, graph] of this.#graphs) {
      if (this.#graphs.size <= kept) return
      this.#graphs.delete(key)
      graph[Symbol.dispose]()
    }
  }
}
