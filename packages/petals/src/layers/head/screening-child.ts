// The process that holds the 8-bit weights. The engine starts it and uses it over IPC. It ends with the engine.
import process from 'node:process'
import type { Ggml } from '@petals-chat/ggml/native'
import { quantizeInputs } from './quantized-input.ts'
import { openWeightFile } from './weight-file.ts'
import type { ScreeningProduct } from './screening-product.ts'
import type { ScreeningAnswer, ScreeningMessage, ScreeningRequest, ScreeningSetup } from './screening.ts'

process.on('disconnect', endAtOnce)
// Ctrl+C, a closed terminal and a service manager signal all processes at once. The engine decides when this one ends.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => {})

let opening: { readonly folder: string; readonly ggml: Promise<Ggml> } | undefined

// The folder of the libraries that a setup will most likely name: they load while the engine prepares the setup.
const [, , likelyLibraries] = process.argv
if (likelyLibraries !== undefined) openLibraries(likelyLibraries).catch(() => {})

process.once('message', (setup: ScreeningSetup) => {
  openProduct(setup).then((product) => serve(product, setup), failed)
})

/** Native code is loaded only here, only where it is used, and once: a second attempt would fail for another reason. */
async function openLibraries(folder: string): Promise<Ggml> {
  if (opening?.folder !== folder) opening = { folder, ggml: load(folder) }
  return await opening.ggml
}

async function load(folder: string): Promise<Ggml> {
  const { openGgml } = await import('@petals-chat/ggml/native')
  return openGgml(folder)
}

async function openProduct({ path, layout, threads, libraries }: ScreeningSetup): Promise<ScreeningProduct> {
  await using file = await openWeightFile(path, layout)
  const units = await file.units()
  if (libraries === undefined) {
    const { JavaScriptProduct } = await import('./javascript-product.ts')
    return new JavaScriptProduct(layout, await file.allRows(), units)
  }
  const [ggml, { GgmlProduct }] = await Promise.all([openLibraries(libraries), import('./ggml-product.ts')])
  return await GgmlProduct.open(ggml, layout, {
    rows: (first, count) => file.rows(first, count),
    units,
    threads,
  })
}

function serve(product: ScreeningProduct, { layout }: ScreeningSetup): void {
  process.on('message', (request: ScreeningRequest) => {
    screen(product, request, layout.columns).then((answer) => send({ type: 'answer', ...answer }), failed)
  })
  send({ type: 'ready' })
}

async function screen(
  product: ScreeningProduct,
  { inputs }: ScreeningRequest,
  columns: number,
): Promise<ScreeningAnswer> {
  const quantized = quantizeInputs(inputs, columns)
  const estimates = await product.multiply(quantized)
  return { estimates, inputNorms: quantized.norms, inputErrors: quantized.errors }
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
