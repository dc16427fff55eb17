import { encodeFrameHeader, markers } from '../rpc/framing.ts'
import { encodeTensor, decodeTensor } from '../tensor/codecs/index.ts'
import { floatTensor, tensorValues } from '../tensor/tensor.ts'
import { encodeRpcError } from '../wire/p2pd.ts'
import { decodeExpertResponse, encodeExpertResponse, type TensorMessage } from '../wire/runtime.ts'

/** Turns the bytes of an honest response into what a faulty or hostile server writes instead. */
export type Malform = (honestResponse: Uint8Array) => Uint8Array

const noMetadata = new Uint8Array(0)

const frame = (
  payload: Uint8Array,
  length: number | bigint = payload.byteLength,
  marker: number = markers.message,
): Uint8Array => {
  const header = encodeFrameHeader({ marker, length: 0 })
  new DataView(header.buffer).setBigUint64(1, BigInt(length))
  return Buffer.concat([header, payload])
}

/** A frame whose one tensor has other fields. */
const withTensor =
  (change: (tensor: TensorMessage) => Partial<TensorMessage>): Malform =>
  (honest) => {
    const [tensor] = decodeExpertResponse(honest).tensors
    return frame(
      encodeExpertResponse({ tensors: [{ ...tensor!, ...change(tensor!) }], metadata: noMetadata }),
    )
  }

/** A frame whose tensor has other values. */
const withValues = (change: (values: Float32Array) => void): Malform =>
  withTensor((tensor) => {
    const values = tensorValues(decodeTensor(tensor)).slice()
    change(values)
    return encodeTensor(floatTensor(values, tensor.size))
  })

const tensors =
  (count: number): Malform =>
  (honest) => {
    const [tensor] = decodeExpertResponse(honest).tensors
    return frame(
      encodeExpertResponse({ tensors: Array.from({ length: count }, () => tensor!), metadata: noMetadata }),
    )
  }

const int64 = (...values: readonly bigint[]): Uint8Array => new Uint8Array(BigInt64Array.from(values).buffer)
const quantized = (compression: number, ...sizes: readonly bigint[]): Malform =>
  withTensor(({ buffer }) => ({ compression, buffer: Buffer.concat([int64(...sizes), buffer]) }))

const sizes: Readonly<Record<string, (size: readonly number[]) => readonly number[]>> = {
  'no dimensions': () => [],
  'one dimension': (size) => [size[0]! * size[1]! * size[2]!],
  'two dimensions': (size) => [size[1]!, size[2]!],
  'four dimensions': (size) => [1, ...size],
  'seventeen dimensions': () => new Array<number>(17).fill(1),
  'a larger batch': (size) => [2, size[1]!, size[2]!],
  'no batch': (size) => [0, size[1]!, size[2]!],
  'one token less': (size) => [1, size[1]! - 1, size[2]!],
  'one token more': (size) => [1, size[1]! + 1, size[2]!],
  'no tokens': (size) => [1, 0, size[2]!],
  'half the hidden size': (size) => [1, size[1]! * 2, size[2]! / 2],
  'axes exchanged': (size) => [1, size[2]!, size[1]!],
  'a product beyond 2^53': () => [2 ** 31, 2 ** 31, 2 ** 31],
  'a product that wraps to the right number': (size) => [1, size[1]! + 2 ** 31, size[2]!],
  'the largest uint32': () => [1, 2 ** 32 - 1, 2 ** 32 - 1],
}

const dtypes = [
  '',
  'float64',
  'int64',
  'int32',
  'uint8',
  'bool',
  'torch.float32',
  '__proto__',
  'constructor',
  'x'.repeat(100_000),
]

const values: Readonly<Record<string, (values: Float32Array) => void>> = {
  'one NaN': (v) => (v[3] = NaN),
  'all NaN': (v) => v.fill(NaN),
  'one infinity': (v) => (v[v.length - 1] = Infinity),
  'minus infinity': (v) => (v[0] = -Infinity),
  '1e30': (v) => (v[5] = 1e30),
  '-1e30': (v) => (v[5] = -1e30),
  zeros: (v) => v.fill(0),
  'minus zeros': (v) => v.fill(-0),
  'one token of zeros': (v) => v.fill(0, 0, 16),
}

const raw: Readonly<Record<string, Malform>> = {
  'a frame of 2^63 - 1 bytes': (honest) => frame(honest, 2n ** 63n - 1n),
  'a frame of 2^64 - 1 bytes': (honest) => frame(honest, 2n ** 64n - 1n),
  'a frame of a gigabyte': (honest) => frame(honest, 2 ** 30),
  'an empty frame': () => frame(new Uint8Array(0)),
  'an unknown marker': (honest) => frame(honest, honest.byteLength, 2),
  'marker 255': (honest) => frame(honest, honest.byteLength, 255),
  'a payload cut short': (honest) => frame(honest.subarray(0, -7)),
  'a payload of noise': (honest) => frame(honest.map((byte, i) => byte ^ (i * 37 + 11))),
  'a payload of 0xff': (honest) => frame(honest.slice().fill(0xff)),
  'a payload of zeros': (honest) => frame(honest.slice().fill(0)),
  'every tag a group': (honest) => frame(honest.slice().fill(0x0b)),
  'an error without text': () => frame(encodeRpcError(''), encodeRpcError('').byteLength, markers.endOrError),
  'an error of 50 KB': () => frame(encodeRpcError('x'.repeat(50_000)), undefined, markers.endOrError),
  'an error of 10 MB': () => frame(encodeRpcError('x'.repeat(10_000_000)), undefined, markers.endOrError),
  'an error that is none': () => frame(Uint8Array.of(0xff), 1, markers.endOrError),
  'an error with a stack trace': () =>
    frame(encodeRpcError('Traceback (most recent call last): …'), undefined, markers.endOrError),
  'the answer twice': (honest) => Buffer.concat([frame(honest), frame(honest)]),
  'an answer and an empty one': (honest) => Buffer.concat([frame(honest), frame(new Uint8Array(0))]),
  'an answer and noise': (honest) => Buffer.concat([frame(honest), Buffer.from('GET / HTTP/1.1\r\n\r\n')]),
}

/** Error texts of real servers, at a time when no real server sends them. */
const lies = [
  "Task size greater than max_batch_size (0), it can't be processed",
  "Task size greater than max_batch_size (31), it can't be processed",
  "Task size greater than max_batch_size (8192), it can't be processed",
  'Cannot allocate KV cache for 320 tokens, max = 0',
  'Cannot allocate KV cache for 320 tokens, max = 256',
  'Could not allocate 1000 bytes immediately: out of memory',
  "Server's attention cache is full, failed to allocate 1000 bytes in 0 seconds",
  'Maximum length exceeded: prefix 7 + current 1 exceeds pre-allocated maximum 4',
  'session id 2b1e is not unique',
  'hypo ids must be int64, got float32',
  'not enough values to unpack (expected at least 3, got 2)',
  'Received 1 prompts for 6 backends',
  'rpc_inference metadata must contain int max_length, got None',
  'index -1 is out of bounds for axis 0 with size 0',
  'math domain error',
  'Remote peer does not serve Toy-hf.0',
]

const codings: Readonly<Record<string, Malform>> = {
  'an unknown compression': withTensor(() => ({ compression: 6 })),
  'compression 2^31': withTensor(() => ({ compression: 2 ** 31 })),
  'a short buffer': withTensor(({ buffer }) => ({ buffer: buffer.subarray(0, -4) })),
  'a long buffer': withTensor(({ buffer }) => ({ buffer: Buffer.concat([buffer, new Uint8Array(4)]) })),
  'no buffer': withTensor(() => ({ buffer: noMetadata })),
  'half the buffer as float16': withTensor(() => ({ dtype: 'float16' })),
  'float32 called bfloat16 of half the size': withTensor(({ buffer }) => ({
    dtype: 'bfloat16',
    buffer: buffer.subarray(0, 6),
  })),
  'MEANSTD without statistics': withTensor(() => ({ compression: 1 })),
  'FLOAT16 of float32 bytes': withTensor(() => ({ compression: 2 })),
  'a codebook of 2^62': quantized(3, 2n ** 62n),
  'a codebook of -1': quantized(4, -1n),
  'a codebook of none': quantized(3, 0n),
  'blockwise tables of 2^62': quantized(5, 2n ** 62n, 2n ** 62n),
  'blockwise without blocks': quantized(5, 0n, 256n),
}

/** Ways in which a server can answer wrongly, by name. The client must notice every one of them and survive it. */
export const malformedResponses: ReadonlyMap<string, Malform> = new Map<string, Malform>([
  ...Object.entries(sizes).map(
    ([name, change]) => [`shape: ${name}`, withTensor(({ size }) => ({ size: change(size) }))] as const,
  ),
  ...dtypes.map((dtype) => [`type: '${dtype.slice(0, 20)}'`, withTensor(() => ({ dtype }))] as const),
  ...Object.entries(values).map(([name, change]) => [`values: ${name}`, withValues(change)] as const),
  ...Object.entries(codings).map(([name, malform]) => [`coding: ${name}`, malform] as const),
  ...Object.entries(raw).map(([name, malform]) => [`bytes: ${name}`, malform] as const),
  ...lies.map(
    (text) => [`lie: ${text}`, () => frame(encodeRpcError(text), undefined, markers.endOrError)] as const,
  ),
  ...[0, 2, 9, 1000].map((count) => [`${count} tensors`, tensors(count)] as const),
])
