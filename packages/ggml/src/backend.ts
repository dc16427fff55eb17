import { deviceType, type Ggml, type Pointer, type Tensor } from './bindings.ts'

/** A device that computes, and the memory on it. */
export class Backend implements Disposable {
  readonly ggml: Ggml
  readonly handle: Pointer
  /** The device, for people. */
  readonly device: string
  /** Its flag stops the graph that is being computed. */
  readonly #stop: Pointer

  /**
   * @param library the library of a device, in place of the one that llama.cpp prefers
   * @throws Error if the machine has no such device, or the build no support for it
   */
  constructor(ggml: Ggml, device: keyof typeof deviceType, library?: string) {
    this.ggml = ggml
    this.handle =
      library === undefined ? ggml.backend_init_by_type(deviceType[device], null) : deviceOf(ggml, library)
    if (!this.handle) throw new Error(`llama.cpp finds no ${device.toUpperCase()} that it can use.`)
    this.device = ggml.backend_dev_description(ggml.backend_get_device(this.handle))
    this.#stop = newContext(ggml, 0)
    ggml.setStopFlag(this.handle, this.#stop)
  }

  get bufferType(): Pointer {
    return this.ggml.backend_get_default_buffer_type(this.handle)
  }

  setThreads(threads: number): void {
    this.ggml.setThreads(this.handle, threads)
  }

  /**
   * Computes a graph. On a CPU it is stopped between two of its nodes after `limitMs`: then false is returned, and the graph
   * may be computed anew.
   */
  async compute(graph: Pointer, limitMs?: number): Promise<boolean> {
    this.ggml.set_no_alloc(this.#stop, false)
    const stop = (): void => this.ggml.set_no_alloc(this.#stop, true)
    const timer = limitMs === undefined ? undefined : setTimeout(stop, Math.ceil(limitMs))
    try {
      return await this.ggml.computeAsync(this.handle, graph)
    } finally {
      clearTimeout(timer)
    }
  }

  [Symbol.dispose](): void {
    this.ggml.backend_free(this.handle)
    this.ggml.free(this.#stop)
  }
}

/** The first device of a library; 0 if this machine can't run it. */
function deviceOf(ggml: Ggml, library: string): Pointer {
  const registry = ggml.backend_load(library)
  return registry ? ggml.backend_dev_init(ggml.backend_reg_dev_get(registry, 0), null) : 0
}

/** The type of a tensor's values (`ggmlTypes`), and its sizes, the fastest dimension first. */
export interface TensorSpec {
  readonly type: number
  readonly shape: readonly number[]
}

/** Tensors that stay on a device: weights, or a KV cache. */
export class DeviceTensors implements Disposable {
  readonly #ggml: Ggml
  readonly #context: Pointer
  readonly #buffer: Pointer
  readonly tensors: readonly Tensor[]
  readonly bytes: number

  /** @throws Error if the device has too little memory */
  constructor({ ggml, handle }: Backend, specs: readonly TensorSpec[]) {
    this.#ggml = ggml
    this.#context = newContext(ggml, specs.length)
    this.tensors = specs.map(({ type, shape: [n0 = 1, n1 = 1, n2] }) =>
      n2 === undefined
        ? ggml.new_tensor_2d(this.#context, type, n0, n1)
        : ggml.new_tensor_3d(this.#context, type, n0, n1, n2),
    )
    this.bytes = this.tensors.reduce<number>((sum, tensor) => sum + ggml.nbytes(tensor), 0)
    this.#buffer = ggml.backend_alloc_ctx_tensors(this.#context, handle)
    if (!this.#buffer)
      throw new Error(`There is no memory for ${Math.ceil(this.bytes / 2 ** 20)} MiB of tensors.`)
  }

  /** Sets all bytes to 0: memory of a device may hold anything, NaN too. */
  clear(): void {
    this.#ggml.backend_buffer_clear(this.#buffer, 0)
  }

  [Symbol.dispose](): void {
    this.#ggml.backend_buffer_free(this.#buffer)
    this.#ggml.free(this.#context)
  }
}

/** Makes room for the descriptions of tensors, whose data are elsewhere. */
export function newContext(ggml: Ggml, tensors: number, graphNodes = 0): Pointer {
  const graph = graphNodes > 0 ? ggml.graph_overhead_custom(graphNodes, false) : 0
  const bytes = ggml.tensor_overhead() * (tensors + 1) + graph
  return ggml.init({ mem_size: bytes, mem_buffer: null, no_alloc: true })
}
