import { open, type FileHandle } from 'node:fs/promises'
import { type Backend, type Ggml, type Tensor } from '@petals-chat/ggml/native'
import { ggmlTypes } from '@petals-chat/ggml'
import type { TensorLoad } from '../protocol.ts'

/** Bytes that are read at once. */
const chunkBytes = 8 * 2 ** 20

/** Reads tensors from their files to a device, converted to the types that they have there. */
export async function loadWeights(
  backend: Backend,
  loads: readonly TensorLoad[],
  tensors: readonly Tensor[],
  onProgress: (fraction: number) => void,
): Promise<void> {
  await using files = new OpenFiles()
  const total = loads.reduce((sum, { pieces }) => sum + bytesOf(pieces), 0)
  let done = 0
  for (const [index, load] of loads.entries()) {
    const target = new TensorWriter(backend.ggml, load, tensors[index]!)
    for (const piece of load.pieces)
      for await (const chunk of files.read(piece, target.chunkBytes)) {
        target.write(chunk)
        done += chunk.length
        onProgress(done / total)
      }
  }
}

type Pieces = TensorLoad['pieces']

const bytesOf = (pieces: Pieces): number => pieces.reduce((sum, { length }) => sum + length, 0)

/** Writes the bytes of one tensor in order. */
class TensorWriter {
  readonly #ggml: Ggml
  readonly #load: TensorLoad
  readonly #tensor: Tensor
  readonly #rowLength: number
  readonly #rowBytes: number
  #offset = 0

  constructor(ggml: Ggml, load: TensorLoad, tensor: Tensor) {
    this.#ggml = ggml
    this.#load = load
    this.#tensor = tensor
    this.#rowLength = load.shape[0]!
    this.#rowBytes = ggml.row_size(load.storedType, this.#rowLength)
  }

  /** Whole rows, which are converted one by one; a piece of a vector may be a part of its only row. */
  get chunkBytes(): number {
    return Math.max(1, Math.floor(chunkBytes / this.#rowBytes)) * this.#rowBytes
  }

  write(chunk: Uint8Array): void {
    const { storedType, type } = this.#load
    const bytes = storedType === type ? chunk : this.#convert(this.#toFloats(chunk))
    this.#ggml.backend_tensor_set(this.#tensor, bytes, this.#offset, bytes.byteLength)
    this.#offset += bytes.byteLength
  }

  #toFloats(chunk: Uint8Array): Float32Array {
    const { storedType } = this.#load
    if (storedType === ggmlTypes.f32) return new Float32Array(chunk.slice().buffer)
    const values = new Float32Array(chunk.length / 2)
    const convert = storedType === ggmlTypes.f16 ? this.#ggml.fp16_to_fp32_row : this.#ggml.bf16_to_fp32_row
    convert(chunk, values, values.length)
    return values
  }

  #convert(values: Float32Array): Uint8Array {
    const { type } = this.#load
    if (type === ggmlTypes.f32) return new Uint8Array(values.buffer)
    const rows = values.length / this.#rowLength
    const bytes = new Uint8Array(rows * this.#ggml.row_size(type, this.#rowLength))
    this.#ggml.quantize_chunk(type, values, bytes, 0, rows, this.#rowLength, null)
    return bytes
  }
}

class OpenFiles implements AsyncDisposable {
  readonly #files = new Map<string, FileHandle>()

  async *read(
    { path, offset, length }: Pieces[number],
    chunk: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let file = this.#files.get(path)
    if (!file) this.#files.set(path, (file = await open(path)))
    const buffer = new Uint8Array(Math.min(chunk, length))
    for (let done = 0; done < length;) {
      const wanted = Math.min(buffer.length, length - done)
      await readFully(file, buffer.subarray(0, wanted), offset + done, path)
      yield buffer.subarray(0, wanted)
      done += wanted
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()))
  }
}

async function readFully(
  file: FileHandle,
  target: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  for (let done = 0; done < target.length;) {
    const { bytesRead } = await file.read(target, done, target.length - done, position + done)
    if (bytesRead === 0) throw new Error(`${path} ends before byte ${position + target.length}`)
    done += bytesRead
  }
}
