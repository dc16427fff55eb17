// The process that holds the 8-bit weights. The engine starts it over IPC, and uses it over a pipe. It ends with the engine.
import { Socket } from 'node:net'
import process from 'node:process'
import type { Ggml } from '@petals-chat/ggml/native'
import { FrameReader } from './frame-reader.ts'
import type { GgmlProduct } from './ggml-product.ts'
import { JavaScriptProduct } from './javascript-product.ts'
import { quantizeInputs } from './quantized-input.ts'
import {
  answerBytes,
  decodeHeader,
  decodeInputs,
  pipeDescriptor,
  requestHeaderBytes,
  ScreeningAnswer,
} from './screening-frames.ts'
import type { ScreeningProduct } from './screening-product.ts'
import type { ScreeningMessage, ScreeningSetup } from './screening.ts'
import { openWeightFile } from './weight-file.ts'

process.on('disconnect', endAtOnce)
// Ctrl+C, a closed terminal and a service manager signal all processes at once. The engine decides when this one ends.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => {})

let opening: { readonly folder: string; readonly native: Promise<Native> } | undefined

// The folder of the libraries that a setup will most likely name: they load while the engine prepares the setup.
const [, , likelyLibraries] = process.argv
if (likelyLibraries !== undefined) openLibraries(likelyLibraries).catch(() => {})

process.once('message', (setup: ScreeningSetup) => {
  openProduct(setup).then((product) => serve(product, setup), failed)
})

/** Native code is loaded only here, only where it is used, and once: a second attempt would fail for another reason. */
async function openLibraries(folder: string): Promise<Native> {
  if (opening?.folder !== folder) opening = { folder, native: load(folder) }
  return await opening.native
}

interface Native {
  readonly ggml: Ggml
  readonly openProduct: typeof GgmlProduct.open
}

async function load(folder: string): Promise<Native> {
  const [{ openGgml }, module] = await Promise.all([
    import('@petals-chat/ggml/native'),
    // Not in a function with `await using`: TypeScript 6.0 leaves the ending of the file's name as it is there.
    import('./ggml-product.ts'),
  ])
  return { ggml: openGgml(folder), openProduct: module.GgmlProduct.open }
}

async function openProduct({ path, layout, threads, libraries }: ScreeningSetup): Promise<ScreeningProduct> {
  await using file = await openWeightFile(path, layout)
  const units = await file.units()
  if (libraries === undefined) return new JavaScriptProduct(layout, await file.allRows(), units)
  const native = await openLibraries(libraries)
  const rows = (first: number, count: number) => file.rows(first, count)
  return await native.openProduct(native.ggml, layout, { rows, units, threads })
}

function serve(product: ScreeningProduct, setup: ScreeningSetup): void {
  const pipe = new Socket({ fd: pipeDescriptor })
  // The pipe breaks when the engine ends, which 'disconnect' reports, too.
  pipe.on('error', endAtOnce)
  void answerAll(product, pipe, setup)
  send({ type: 'ready' })
}

/** Answers one request after the other. */
async function answerAll(product: ScreeningProduct, pipe: Socket, setup: ScreeningSetup): Promise<never> {
  const { rows, columns } = setup.layout
  const requests = new FrameReader(pipe)
  const room = answerRoom(rows)
  while (true) {
    const positions = decodeHeader(await requests.read(requestHeaderBytes))
    const inputs = decodeInputs(await requests.read(positions * columns * 4))
    try {
      const quantized = quantizeInputs(inputs, columns)
      const answer = new ScreeningAnswer(quantized, { rows, largestNorm: setup.largestNorm }, room(positions))
      await product.multiply(quantized, answer)
      pipe.write(answer.bytes)
    } catch (error) {
      failed(error)
    }
  }
}

/** Most passes are over one position. The engine has read an answer before it asks again, so the next one may take its place. */
function answerRoom(rows: number): (positions: number) => Uint8Array {
  const usual = new Uint8Array(answerBytes(1, rows))
  return (positions) => (positions === 1 ? usual : new Uint8Array(answerBytes(positions, rows)))
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
