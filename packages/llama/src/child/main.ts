/** The process of one model: started by the gateway, which it serves over IPC, and ended with it. */
import process from 'node:process'
import type { Command, LoadCommand, Message } from '../protocol.ts'
import { tokenizerProbe } from '../protocol.ts'
import { BatchScheduler } from './batch-scheduler.ts'
import { calibrate } from './calibrate.ts'
import { Embedder } from './embedder.ts'
import { LoadError, loadModel } from './load-model.ts'
import { ModelServer } from './model-server.ts'
import { openNative } from './native.ts'
import { Outbox } from './outbox.ts'
import { Sequence } from './sequence.ts'

/** Progress bars need no more. */
const PROGRESS_INTERVAL_MS = 200

const outbox = new Outbox((message: Message) => {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
})
// Takes its time (a third of a second), and needs no knowledge of the model.
const library = import('node-llama-cpp')
let scheduler: BatchScheduler | undefined
let server: ModelServer | undefined

process.on('disconnect', endAtOnce)
process.on('message', (command: Command) => {
  switch (command.type) {
    case 'load':
      return void load(command)
    case 'ping':
      return outbox.send({ type: 'pong', stepMs: scheduler?.stepMs ?? 0 })
    case 'shutdown':
      return endAtOnce()
    default:
      server?.handle(command)
  }
})

async function load(command: LoadCommand): Promise<void> {
  try {
    const loaded = await loadModel(await library, command, { onProgress: progressReporter(), onLog: sendLog })
    await startServer(command, loaded)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    outbox.send({ type: 'load-failed', reason: error instanceof LoadError ? error.reason : 'model', text })
  }
}

async function startServer(
  command: LoadCommand,
  loaded: Awaited<ReturnType<typeof loadModel>>,
): Promise<void> {
  const { llama, model, context, plan, threads } = loaded
  const { config, cores, facts } = command
  const native = openNative(llama, model, context)
  const token = model.tokens.bos ?? 0
  const onCpu = llama.gpu === false
  const calibration = await calibrate({
    context: native.context,
    token,
    cores,
    threads: config.threads,
    onCpu,
  })
  const sequences = Array.from({ length: plan.sequences }, (_, id) => new Sequence(id, native.context))
  const embedder = new Embedder(model, threads)
  scheduler = new BatchScheduler({
    context: native.context,
    governor: calibration.governor,
    batchSize: Math.max(config.batchSize, plan.sequences),
    onDispatch: () => outbox.flush(),
  })
  const { contextLength, kvCacheBytes } = plan
  const limits = { vocabSize: facts.vocabSize, contextLength, embeddingLength: embedder.maxLength, sequences }
  const isEndToken = (id: number) => model.isEogToken(id as never)
  server = new ModelServer({ native, scheduler, embedder, limits, outbox, isEndToken })
  outbox.send({
    type: 'ready',
    sequences: plan.sequences,
    contextLength,
    embeddingLength: embedder.maxLength,
    threads: calibration.threads,
    backend: llama.gpu === false ? 'cpu' : llama.gpu,
    devices: onCpu ? [] : await llama.getGpuDeviceNames(),
    kvCacheBytes,
    decodeTokensPerSecond: calibration.decodeTokensPerSecond,
    probe: model.tokenize(tokenizerProbe, true),
  })
}

function progressReporter(): (fraction: number) => void {
  let reportedAt = -Infinity
  return (fraction) => {
    if (performance.now() - reportedAt < PROGRESS_INTERVAL_MS) return
    reportedAt = performance.now()
    outbox.send({ type: 'progress', fraction })
  }
}

function sendLog(level: 'debug' | 'warn', text: string): void {
  if (text !== '') outbox.send({ type: 'log', level, text })
}

/** Without exit handlers: native threads may be computing, and there is nothing to save. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL')
}
