/** The program in the process of one model. It serves the gateway, which started it, over IPC, and ends with it. */
import process from 'node:process'
import { tokenizerProbe, type Command, type LoadCommand, type Message } from '../protocol.ts'
import { BatchScheduler } from './batch-scheduler.ts'
import { calibrate } from './calibrate.ts'
import { DraftPlanner } from './draft-planner.ts'
import { Embedder } from './embedder.ts'
import { LoadError, loadModel, openLibrary, type Library, type LoadedModel } from './load-model.ts'
import { ModelServer } from './model-server.ts'
import { openNative } from './native.ts'
import { Outbox } from './outbox.ts'
import { Sequence } from './sequence.ts'

/** Often enough for a progress bar. */
const PROGRESS_INTERVAL_MS = 200

const outbox = new Outbox((message: Message) => {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
})
let library: Promise<Library> | undefined
let scheduler: BatchScheduler | undefined
let server: ModelServer | undefined

process.on('disconnect', endImmediately)
// Ctrl+C, a closed terminal and a service manager send their signals to all processes: the gateway decides when this one ends.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => {})
process.on('message', (command: Command) => {
  switch (command.type) {
    case 'prepare':
      library = openLibrary(command, sendLog)
      return void library.catch(() => {}) // `load` reports it
    case 'load':
      return void load(command)
    case 'ping':
      return outbox.send({
        type: 'pong',
        stepMs: scheduler?.stepMs ?? 0,
        overdue: scheduler?.overdue,
        choice: scheduler?.choice,
      })
    default:
      server?.handle(command)
  }
})

async function load(command: LoadCommand): Promise<void> {
  try {
    const opened = await library!
    await startServer(command, opened, await loadModel(opened, command, progressReporter()))
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    outbox.send({ type: 'load-failed', reason: error instanceof LoadError ? error.reason : 'model', text })
  }
}

async function startServer(command: LoadCommand, opened: Library, loaded: LoadedModel): Promise<void> {
  const { llama, threads, prepared } = opened
  const { model, context, plan } = loaded
  const { config, cores } = prepared
  const native = openNative(llama, model, context)
  const onCpu = llama.gpu === false
  const token = model.tokens.bos ?? 0
  const calibration = await calibrate({
    context: native.context,
    token,
    cores,
    threads: config.threads,
    onCpu,
    earlier: command.earlier,
  })
  const sequences = Array.from({ length: plan.sequences }, (_, id) => new Sequence(id, native.context))
  const embedder = new Embedder(model, threads)
  const speculates = config.speculation === 'auto' && calibration.rewinds
  scheduler = new BatchScheduler({
    context: native.context,
    governor: calibration.governor,
    batchSize: Math.max(config.batchSize, plan.sequences),
    planner: speculates ? new DraftPlanner() : undefined,
    onDispatch: () => outbox.flush(),
  })
  const { contextLength, kvCacheBytes } = plan
  const { vocabSize } = command.facts
  const limits = { vocabSize, contextLength, embeddingLength: embedder.maxLength, sequences }
  const isEndToken = (id: number) => model.isEogToken(id as never)
  server = new ModelServer({ native, scheduler, embedder, limits, outbox, speculates, isEndToken })
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
    stepTimes: calibration.stepTimes,
    rewinds: calibration.rewinds,
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

/** Ends without exit handlers: native threads may be computing, and there is nothing to save. */
function endImmediately(): void {
  process.kill(process.pid, 'SIGKILL')
}
