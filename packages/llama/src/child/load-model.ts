import { totalmem } from 'node:os'
import type * as nodeLlamaCpp from 'node-llama-cpp'
import type { Llama, LlamaContext, LlamaModel } from 'node-llama-cpp'
import type { LoadCommand, LoadFailedMessage, PrepareCommand } from '../protocol.ts'
import { planContext, type ContextPlan } from './plan-context.ts'

type NodeLlamaCpp = typeof nodeLlamaCpp

/** llama.cpp, opened with the settings of the config. */
export interface Library {
  readonly module: NodeLlamaCpp
  readonly llama: Llama
  readonly prepared: PrepareCommand
  readonly threads: number
}

export interface LoadedModel {
  readonly model: LlamaModel
  readonly context: LlamaContext
  readonly plan: ContextPlan
}

export type LogText = (level: 'debug' | 'warn', text: string) => void

export class LoadError extends Error {
  override readonly name = 'LoadError'
  readonly reason: LoadFailedMessage['reason']

  constructor(reason: LoadFailedMessage['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

/** Opens llama.cpp. Nothing is downloaded or compiled. @throws LoadError */
export async function openLibrary(prepared: PrepareCommand, onLog: LogText): Promise<Library> {
  const module = await import('node-llama-cpp')
  const { gpu } = prepared.config
  const threads = prepared.config.threads ?? prepared.cores
  const missing = gpu === 'auto' || gpu === 'off' ? 'no-library' : 'gpu-missing'
  const llama = await module
    .getLlama({
      gpu: gpu === 'off' ? false : gpu,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      maxThreads: threads,
      logLevel: module.LlamaLogLevel.warn,
      logger: (_level, text) => onLog('debug', text.trimEnd()),
    })
    .catch((error: unknown) => {
      const isMissing = error instanceof module.NoBinaryFoundError
      throw isMissing ? new LoadError(missing, 'no library of llama.cpp works here') : error
    })
  if (missing === 'gpu-missing' && llama.gpu !== gpu) {
    throw new LoadError('gpu-missing', `llama.cpp found no ${gpu} device`)
  }
  return { module, llama, prepared, threads }
}

/** Loads the model and creates its context. @throws LoadError */
export async function loadModel(
  { module, llama, prepared, threads }: Library,
  command: LoadCommand,
  onProgress: (fraction: number) => void,
): Promise<LoadedModel> {
  const { config } = prepared
  try {
    const model = await llama.loadModel({
      modelPath: command.path,
      ...gpuLayers(llama, prepared),
      onLoadProgress: onProgress,
    })
    const plan = await planFor(llama, prepared, command)
    const context = await model.createContext({
      sequences: plan.sequences,
      contextSize: plan.contextLength,
      batchSize: Math.max(config.batchSize, plan.sequences),
      threads,
      // Keeps the keys of all tokens in models with a sliding window, too: otherwise the cache can't be truncated.
      swaFullCache: true,
      failedCreationRemedy: false,
    })
    return { model, context, plan }
  } catch (error) {
    throw describe(module, error)
  }
}

function gpuLayers(llama: Llama, { config }: PrepareCommand): { gpuLayers?: number } {
  if (llama.gpu === false) return { gpuLayers: 0 }
  return config.gpuLayers === undefined ? {} : { gpuLayers: config.gpuLayers }
}

async function planFor(llama: Llama, { config }: PrepareCommand, command: LoadCommand): Promise<ContextPlan> {
  const { facts, earlier } = command
  const onGpu = llama.gpu !== false
  const vram = onGpu ? await llama.getVramState() : undefined
  return planContext({
    trainedLength: facts.contextLength,
    kvBytesPerToken: facts.kvBytesPerToken,
    sequences: earlier?.sequences ?? config.sequences,
    contextLength: earlier?.contextLength ?? config.contextLength,
    memoryBytes: vram && vram.unifiedSize === 0 ? vram.free : availableMemory(),
    onGpu,
  })
}

function describe({ InsufficientMemoryError }: NodeLlamaCpp, error: unknown): LoadError {
  if (error instanceof LoadError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new LoadError(error instanceof InsufficientMemoryError ? 'memory' : 'model', text)
}

/**
 * Returns the bytes that this process can still allocate without making the machine swap or the container end it. Node takes
 * account of control groups and of memory that the system can reclaim from its file cache. On macOS it counts only memory
 * that is entirely unused, which is always little.
 */
function availableMemory(): number {
  const available = process.availableMemory()
  return process.platform === 'darwin' ? Math.max(available, totalmem() / 4) : available
}
