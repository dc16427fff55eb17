import koffi, { type LibraryHandle } from 'koffi'
import { findLibraryFiles } from './library-files.ts'

/** The address of a C object. ggml's objects are opaque here: no layout of a struct is relied upon, except of `ggml_init_params`. */
export type Pointer = number | bigint
/** A tensor or a node of a graph. */
export type Tensor = Pointer

/** ggml-backend.h: enum ggml_backend_dev_type. */
export const deviceType = { cpu: 0, gpu: 1 } as const
/** ggml.h: GGML_ROPE_TYPE_NORMAL and GGML_ROPE_TYPE_NEOX. */
export const ropeMode = { normal: 0, neox: 2 } as const

/** ggml.h: GGML_STATUS_SUCCESS and GGML_STATUS_ABORTED. */
const [ok, aborted] = [0, 1]

const P = 'int64'
const I64 = 'int64'
const SIZE = 'size_t'
const F = 'float'

type Signature = readonly [result: string, ...parameters: string[]]
const op = (...parameters: string[]): readonly [typeof P, ...string[]] => [P, P, ...parameters]

/**
 * The functions of ggml's C API, with their parameters (ggml.h, ggml-alloc.h, ggml-backend.h of llama.cpp v0.5.0). All are
 * plain exports that have kept their signatures for a year of releases.
 */
const signatures = {
  ggml_version: ['str'],
  ggml_init: [P, 'ggml_init_params'],
  ggml_free: ['void', P],
  ggml_tensor_overhead: [SIZE],
  ggml_graph_overhead_custom: [SIZE, SIZE, 'bool'],
  ggml_row_size: [SIZE, 'int', I64],
  ggml_nbytes: [SIZE, P],
  ggml_new_tensor_1d: op('int', I64),
  ggml_new_tensor_2d: op('int', I64, I64),
  ggml_new_tensor_3d: op('int', I64, I64, I64),
  ggml_new_graph_custom: op(SIZE, 'bool'),
  ggml_build_forward_expand: ['void', P, P],
  ggml_set_input: ['void', P],
  ggml_set_output: ['void', P],
  ggml_rms_norm: op(P, F),
  ggml_norm: op(P, F),
  ggml_mul: op(P, P),
  ggml_add: op(P, P),
  ggml_div: op(P, P),
  ggml_mul_mat: op(P, P),
  ggml_mul_mat_id: op(P, P, P),
  ggml_soft_max: op(P),
  ggml_top_k: op(P, 'int'),
  ggml_get_rows: op(P, P),
  ggml_sum_rows: op(P),
  ggml_sqr: op(P),
  ggml_tanh: op(P),
  ggml_scale_bias: op(P, F, F),
  ggml_gelu_erf: op(P),
  ggml_swiglu_split: op(P, P),
  ggml_reshape_2d: op(P, I64, I64),
  ggml_reshape_3d: op(P, I64, I64, I64),
  ggml_view_1d: op(P, I64, SIZE),
  ggml_view_2d: op(P, I64, I64, SIZE, SIZE),
  ggml_view_3d: op(P, I64, I64, I64, SIZE, SIZE, SIZE),
  ggml_concat: op(P, P, 'int'),
  ggml_rope_ext: op(P, P, P, 'int', 'int', 'int', F, F, F, F, F, F),
  ggml_set_rows: op(P, P, P),
  ggml_flash_attn_ext: op(P, P, P, P, F, F, F),
  ggml_flash_attn_ext_set_prec: ['void', P, 'int'],
  ggml_quantize_chunk: [SIZE, 'int', 'void *', '_Out_ void *', I64, I64, I64, 'void *'],
  ggml_fp16_to_fp32_row: ['void', 'void *', '_Out_ void *', I64],
  ggml_bf16_to_fp32_row: ['void', 'void *', '_Out_ void *', I64],
  ggml_backend_alloc_ctx_tensors: [P, P, P],
  ggml_backend_tensor_set: ['void', P, 'void *', SIZE, SIZE],
  ggml_backend_tensor_get: ['void', P, '_Out_ void *', SIZE, SIZE],
  ggml_backend_tensor_memset: ['void', P, 'uint8', SIZE, SIZE],
  ggml_backend_graph_compute: ['int', P, P],
  ggml_backend_get_default_buffer_type: [P, P],
  ggml_backend_buffer_clear: ['void', P, 'uint8'],
  ggml_backend_buffer_free: ['void', P],
  ggml_backend_get_device: [P, P],
  ggml_backend_dev_backend_reg: [P, P],
  ggml_backend_reg_dev_get: [P, P, SIZE],
  ggml_backend_dev_init: [P, P, 'void *'],
  ggml_backend_dev_description: ['str', P],
  ggml_backend_reg_get_proc_address: ['void *', P, 'str'],
  ggml_backend_free: ['void', P],
  ggml_gallocr_new: [P, P],
  ggml_gallocr_alloc_graph: ['bool', P, P],
  ggml_gallocr_get_buffer_size: [SIZE, P, 'int'],
  ggml_gallocr_free: ['void', P],
  ggml_set_no_alloc: ['void', P, 'bool'],
} as const satisfies Readonly<Record<string, Signature>>

const registrySignatures = {
  ggml_backend_load_all_from_path: ['void', 'str'],
  ggml_backend_load: [P, 'str'],
  ggml_backend_init_by_type: [P, 'int', 'str'],
} as const satisfies Readonly<Record<string, Signature>>

type Value = Pointer | boolean | string | ArrayBufferView | null | Readonly<Record<string, unknown>>
interface Results {
  readonly int64: Pointer
  readonly int: number
  readonly size_t: number
  readonly bool: boolean
  readonly str: string
  readonly void: void
  readonly 'void *': unknown
}
type Table = typeof signatures & typeof registrySignatures
type ResultOf<S extends Signature> = S[0] extends keyof Results ? Results[S[0]] : never
type Short<Name> = Name extends `ggml_${infer Rest}` ? Rest : never
/** They run on the calling thread. */
type Functions = {
  readonly [Name in keyof Table as Short<Name>]: (...values: Value[]) => ResultOf<Table[Name]>
}

/** ggml's functions without their prefix `ggml_`, and what is built on them. */
export interface Ggml extends Functions {
  /**
   * Computes a graph on another thread. One at a time for a backend. Resolves to false if it was stopped.
   * @throws Error if it fails
   */
  computeAsync(backend: Pointer, graph: Pointer): Promise<boolean>
  /**
   * Lets a CPU backend stop a graph between two of its nodes while the flag is set: that of a context, `set_no_alloc`. The
   * function that reads the flag is ggml's own, as native threads must not call JavaScript.
   */
  setStopFlag(backend: Pointer, context: Pointer): void
  /** Sets how many threads a CPU backend uses. */
  setThreads(backend: Pointer, threads: number): void
  /** The sets of instructions that a CPU backend was compiled for, by ggml's names, and options of its build. */
  cpuFeatures(backend: Pointer): readonly string[]
}

type NativeFunction = ReturnType<LibraryHandle['func']>

let opened: { readonly folder: string; readonly ggml: Ggml } | undefined

/**
 * Loads the libraries in the folder of a build of llama.cpp, with all of its backends that this machine can use. A process
 * can load one build.
 * @throws Error if a library or a function is missing
 */
export function openGgml(folder: string): Ggml {
  if (opened && opened.folder !== folder) throw new Error('Another build of llama.cpp is loaded already.')
  opened ??= { folder, ggml: load(folder) }
  return opened.ggml
}

let isKoffiPrepared = false

/** koffi refuses a name that it knows, and a build that can't be loaded may be tried again. */
function prepareKoffi(): void {
  if (isKoffiPrepared) return
  isKoffiPrepared = true
  try {
    koffi.config({ async_stack_size: asyncStackBytes })
  } catch {
    // The program has loaded libraries of its own with koffi, whose settings stay.
  }
  koffi.struct('ggml_init_params', { mem_size: 'size_t', mem_buffer: 'void *', no_alloc: 'bool' })
  koffi.struct('ggml_backend_feature', { name: 'str', value: 'str' })
  koffi.proto('void *GetFeatures(int64 registry)')
  koffi.proto('void SetThreads(int64 backend, int threads)')
  koffi.proto('void SetAbortCallback(int64 backend, void *callback, int64 data)')
}

/**
 * Graphs are computed on stacks that koffi makes: 128 KiB each, if nothing else is said. Drivers of GPUs compile their
 * kernels in the first computation, and count on the stack of an ordinary thread. What is not used takes no memory.
 */
const asyncStackBytes = 2 * 2 ** 20

function load(folder: string): Ggml {
  const files = findLibraryFiles(folder)
  prepareKoffi()
  const baseLibrary = openLibrary(files.base)
  const base = bind(baseLibrary, signatures)
  const functions = {
    ...base,
    ...bind(openLibrary(files.registry), registrySignatures),
  } as unknown as Functions
  functions.backend_load_all_from_path(folder)
  const registryOf = (backend: Pointer) =>
    functions.backend_dev_backend_reg(functions.backend_get_device(backend))
  /** The address of a function that only CPU backends have. */
  const ofCpu = (backend: Pointer, name: string) =>
    functions.backend_reg_get_proc_address(registryOf(backend), name)
  return {
    ...functions,
    computeAsync: (backend, graph) =>
      new Promise((resolve, reject) => {
        base['backend_graph_compute']!.async(backend, graph, (error: Error | null, status: number) => {
          if (error) reject(error)
          else if (status === ok || status === aborted) resolve(status === ok)
          else reject(new Error(`llama.cpp could not compute the step (status ${status}).`))
        })
      }),
    setThreads(backend, threads) {
      const address = ofCpu(backend, 'ggml_backend_set_n_threads')
      if (address) koffi.call(address, 'SetThreads', backend, threads)
    },
    cpuFeatures(backend) {
      const address = ofCpu(backend, 'ggml_backend_get_features')
      if (!address) return []
      const list: unknown = koffi.call(address, 'GetFeatures', registryOf(backend))
      const names: string[] = []
      // The list ends with one that has no name.
      for (let offset = 0; ; offset += koffi.sizeof('ggml_backend_feature')) {
        const { name } = koffi.decode(list, offset, 'ggml_backend_feature') as {
          readonly name: string | null
        }
        if (name === null) return names
        names.push(name)
      }
    },
    setStopFlag(backend, context) {
      const address = ofCpu(backend, 'ggml_backend_set_abort_callback')
      const callback: unknown = baseLibrary.symbol('ggml_get_no_alloc')
      if (address) koffi.call(address, 'SetAbortCallback', backend, callback, context)
    },
  }
}

function openLibrary(file: string): LibraryHandle {
  try {
    return koffi.load(file)
  } catch (cause) {
    throw new Error(`${file} can't be loaded: ${(cause as Error).message}`, { cause })
  }
}

function bind(
  library: LibraryHandle,
  table: Readonly<Record<string, Signature>>,
): Record<string, NativeFunction> {
  return Object.fromEntries(
    Object.entries(table).map(([name, [result, ...parameters]]) => [
      name.replace(/^ggml_/, ''),
      library.func(name, result, parameters),
    ]),
  )
}
