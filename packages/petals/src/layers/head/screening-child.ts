// The process that holds the 8-bit weights. The engine starts it and uses it over IPC. It ends with the engine.
import { open } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import * as ort from 'onnxruntime-node'
import { inputOf, outputOf } from './onnx-model.ts'
import { partsOf, quantizedModel, tilesOf, type QuantizedLayout } from './quantized-matrix.ts'
import type { ScreeningAnswer, ScreeningMessage, ScreeningRequest, ScreeningSetup } from './screening.ts'
import { coarseWeight, splitInput } from './split-input.ts'

process.on('disconnect', endAtOnce)
// Ctrl+C, a closed terminal and a service manager signal all processes at once. The engine decides when this one ends.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => {})

process.once('message', (setup: ScreeningSetup) => {
  openHead(setup).then(serve, failed)
})

interface Head {
  readonly session: ort.InferenceSession
  readonly layout: QuantizedLayout
  /** The value of a code 1 in each part and row, [parts, rows]. */
  readonly scales: Float32Array
}

async function openHead(setup: ScreeningSetup): Promise<Head> {
  const { layout, path: file } = setup
  const [session, scales] = await Promise.all([openSession(setup), readScales(file, layout)])
  return { session, layout, scales }
}

async function readScales(file: string, layout: QuantizedLayout): Promise<Float32Array> {
  const scales = new Float32Array(partsOf(layout) * layout.rows)
  await using handle = await open(file, 'r')
  const bytes = new Uint8Array(scales.buffer)
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, layout.scales)
  if (bytesRead < bytes.length) throw new RangeError(`${file} ends early.`)
  return scales
}

function serve(head: Head): void {
  process.on('message', (request: ScreeningRequest) => {
    screen(head, request).then((answer) => send({ type: 'answer', ...answer }), failed)
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
  { session, layout, scales }: Head,
  { inputs }: ScreeningRequest,
): Promise<ScreeningAnswer> {
  const { rows, columns, partColumns } = layout
  const positions = inputs.length / columns
  const parts = Array.from({ length: partsOf(layout) }, (_, part) => {
    const width = Math.min(partColumns, columns - part * partColumns)
    return { width, digits: new Uint8Array(positions * 2 * width) }
  })
  const splits = Array.from({ length: positions }, (_, position) => {
    const input = inputs.subarray(position * columns, (position + 1) * columns)
    const targets = parts.map(({ width, digits }) =>
      digits.subarray(position * 2 * width, (position + 1) * 2 * width),
    )
    return splitInput(input, layout, targets)
  })
  const feeds = parts.map(({ width, digits }, part) => [
    inputOf(part),
    new ort.Tensor('uint8', digits, [positions * 2, width]),
  ])
  const results = await session.run(Object.fromEntries(feeds) as Record<string, ort.Tensor>)
  const estimates = new Float32Array(positions * rows)
  for (const [index, tile] of tilesOf(layout).entries()) {
    const sums = results[outputOf(index)]!.data as Int32Array
    const tileScales = scales.subarray(tile.part * rows + tile.firstRow)
    for (const [position, { steps }] of splits.entries()) {
      const pair = sums.subarray(2 * position * tile.rows, (2 * position + 2) * tile.rows)
      addPair(pair, steps[tile.part]!, tileScales, estimates.subarray(position * rows + tile.firstRow))
    }
  }
  return {
    estimates,
    inputNorms: Float64Array.from(splits, ({ inputNorm }) => inputNorm),
    inputErrors: Float64Array.from(splits, ({ inputError }) => inputError),
  }
}

/** Adds the products of both digits, [2, rows], to the beginning of `target`. */
function addPair(pair: Int32Array, step: number, scales: Float32Array, target: Float32Array): void {
  const rows = pair.length / 2
  for (let row = 0; row < rows; row++)
    target[row] = target[row]! + (coarseWeight * pair[row]! + pair[rows + row]!) * step * scales[row]!
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
