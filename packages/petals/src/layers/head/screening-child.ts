// The process that holds the 8-bit weights. The engine starts it and uses it over IPC. It ends with the engine.
import path from 'node:path'
import process from 'node:process'
import * as ort from 'onnxruntime-node'
import { quantizedModel, type QuantizedLayout } from './quantized-matrix.ts'
import type { ScreeningAnswer, ScreeningMessage, ScreeningRequest, ScreeningSetup } from './screening.ts'
import { inputBound, splitInput } from './split-input.ts'

process.on('disconnect', endAtOnce)
// Ctrl+C, a closed terminal and a service manager signal all processes at once. The engine decides when this one ends.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => {})

process.once('message', (setup: ScreeningSetup) => {
  openSession(setup).then((session) => serve(session, setup), failed)
})

function serve(session: ort.InferenceSession, { layout }: ScreeningSetup): void {
  process.on('message', (request: ScreeningRequest) => {
    screen(session, layout, request).then((answer) => send({ type: 'answer', ...answer }), failed)
  })
  send({ type: 'ready' })
}

async function openSession({ path: file, layout, threads }: ScreeningSetup): Promise<ort.InferenceSession> {
  return await ort.InferenceSession.create(quantizedModel(layout, path.basename(file)), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    extra: {
      session: {
        model_external_initializers_file_folder_path: path.dirname(file),
        // Spinning threads would take the cores from all other work between two tokens.
        intra_op: { allow_spinning: '0' },
      },
    },
  })
}

async function screen(
  session: ort.InferenceSession,
  layout: QuantizedLayout,
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

/** Sums pairs of rows: [positions, 2, rows] becomes [positions, rows]. */
function sumOfPairs(pairs: Float32Array, rows: number): Float32Array {
  const sums = new Float32Array(pairs.length / 2)
  for (let start = 0; start < sums.length; start += rows) {
    const first = 2 * start
    for (let row = 0; row < rows; row++) sums[start + row] = pairs[first + row]! + pairs[first + rows + row]!
  }
  return sums
}

function send(message: ScreeningMessage): void {
  if (process.connected) process.send!(message, undefined, undefined, () => {})
}

function failed(error: unknown): void {
  send({ type: 'failed', reason: error instanceof Error ? error.message : String(error) })
}

/** Ends without exit handlers: native threads may be computing, and there is nothing to save. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL')
}
