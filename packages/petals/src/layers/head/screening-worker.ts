// The thread that holds the 8-bit weights. onnxruntime-node blocks the thread that calls it, for milliseconds in each pass
// and for a second while it loads: too long for a thread that also serves streams of other clients.
import { once } from 'node:events'
import path from 'node:path'
import { parentPort } from 'node:worker_threads'
import * as ort from 'onnxruntime-node'
import { quantizedModel } from './quantized-matrix.ts'
import type { ScreeningAnswer, ScreeningMessage, ScreeningRequest, ScreeningSetup } from './screening.ts'
import { inputBound, splitInput } from './split-input.ts'

const port = parentPort!
const [{ path: file, layout, threads }] = (await once(port, 'message')) as [ScreeningSetup]

function openSession(): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(quantizedModel(layout, path.basename(file)), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    extra: {
      session: {
        model_external_initializers_file_folder_path: path.dirname(file),
        // Spinning threads would take the cores from everything else between two tokens.
        intra_op: { allow_spinning: '0' },
      },
    },
  })
}

async function screen(
  session: ort.InferenceSession,
  { inputs, rounding }: ScreeningRequest,
): Promise<ScreeningAnswer> {
  const { rows, columns, paddedColumns } = layout
  const positions = inputs.length / columns
  const inputNorms = new Float64Array(positions)
  const inputErrors = new Float64Array(positions)
  const x = new Float32Array(positions * 2 * paddedColumns)
  for (let position = 0; position < positions; position++) {
    const input = inputs.subarray(position * columns, (position + 1) * columns)
    const split = x.subarray(position * 2 * paddedColumns, (position + 1) * 2 * paddedColumns)
    splitInput(input, layout, split)
    const { inputNorm, inputError } = inputBound(input, split, layout, rounding)
    inputNorms[position] = inputNorm
    inputErrors[position] = inputError
  }
  const results = await session.run({ x: new ort.Tensor('float32', x, [positions * 2, paddedColumns]) })
  return { estimates: sumOfPairs(results['y']!.data as Float32Array, rows), inputNorms, inputErrors }
}

/** [positions, 2, rows] to [positions, rows]. */
function sumOfPairs(pairs: Float32Array, rows: number): Float32Array {
  const sums = new Float32Array(pairs.length / 2)
  for (let start = 0; start < sums.length; start += rows) {
    const first = 2 * start
    for (let row = 0; row < rows; row++) sums[start + row] = pairs[first + row]! + pairs[first + rows + row]!
  }
  return sums
}

const send = (message: ScreeningMessage, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer)

const failed = (error: unknown): void =>
  send({ type: 'failed', reason: error instanceof Error ? error.message : String(error) })

try {
  const session = await openSession()
  port.on('message', (request: ScreeningRequest | 'close') => {
    if (request === 'close') {
      void session.release().finally(() => port.close())
      return
    }
    screen(session, request).then(
      (answer) => send({ type: 'answer', ...answer }, [answer.estimates.buffer as ArrayBuffer]),
      failed,
    )
  })
  send({ type: 'ready' })
} catch (error) {
  failed(error)
}
