import { availableMemory } from '../machine/memory.ts'
import type { LoadCommand, LoadFailedMessage } from '../protocol.ts'
import type * as nodeLlamaCpp from 'node-llama-cpp'
import type { Llama, LlamaContext, LlamaModel } from 'node-llama-cpp'
import { planContext, type ContextPlan } from './plan-context.ts'

export interface LoadedModel {
  readonly llama: Llama
  readonly model: LlamaModel
  readonly context: LlamaContext
  readonly plan: ContextPlan
  readonly threads: number
}

export interface LoadHooks {
  readonly onProgress: (fraction: number) => void
  readonly onLog: (level: 'debug' | 'warn', text: string) => void
}

type Library = typeof nodeLlamaCpp

export class LoadError extends Error {
  override readonly name = 'LoadError'
  readonly reason: LoadFailedMessage['reason']

  constructor(reason: LoadFailedMessage['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

/** Loads the library, the model and its context. Nothing is downloaded or compiled. @throws LoadError */
export async function loadModel(
  library: Library,
  command: LoadCommand,
  hooks: LoadHooks,
): Promise<LoadedModel> {
  const threads = command.config.threads ?? command.cores
  const llama = await openLibrary(library, command, threads, hooks)
  try {
    const model = await llama.loadModel({
      modelPath: command.path,
      ...gpuLayers(llama, command),
      onLoadProgress: hooks.onProgress,
    })
    const plan = await planFor(llama, command)
    const context = await model.createContext({
      sequences: plan.sequences,
      contextSize: plan.contextLength,
      batchSize: Math.max(command.config.batchSize, plan.sequences),
      threads,
      // Keeps the keys of all tokens also in models with a sliding window: only so can any tail be forgotten.
      swaFullCache: true,
      failedCreationRemedy: false,
    })
    return { llama, model, context, plan, threads }
  } catch (error) {
    throw describe(library, error)
  }
}

async function openLibrary(
  { getLlama, LlamaLogLevel, NoBinaryFoundError }: Library,
  { config }: LoadCommand,
  threads: number,
  { onLog }: LoadHooks,
): Promise<Llama> {
  const { gpu } = config
  const missing = gpu === 'auto' || gpu === 'off' ? 'no-library' : 'gpu-missing'
  const llama = await getLlama({
    gpu: gpu === 'off' ? false : gpu,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    maxThreads: threads,
    logLevel: LlamaLogLevel.warn,
    logger: (_level, text) => onLog('debug', text.trimEnd()),
  }).catch((error: unknown) => {
    if (error instanceof NoBinaryFoundError)
      throw new LoadError(missing, 'no library of llama.cpp works here')
    throw error
  })
  const isOther = missing === 'gpu-missing' && llama.gpu !== gpu
  if (isOther) throw new LoadError('gpu-missing', `llama.cpp found no ${gpu} device`)
  return llama
}

function gpuLayers(llama: Llama, { config }: LoadCommand): { gpuLayers?: number } {
  if (llama.gpu === false) return { gpuLayers: 0 }
  return config.gpuLayers === undefined ? {} : { gpuLayers: config.gpuLayers }
}

async function planFor(llama: Llama, { config, facts }: LoadCommand): Promise<ContextPlan> {
  const onGpu = llama.gpu !== false
  const vram = onGpu ? await llama.getVramState() : undefined
  return planContext({
    trainedLength: facts.contextLength,
    kvBytesPerToken: facts.kvBytesPerToken,
    sequences: config.sequences,
    contextLength: config.contextLength,
    memoryBytes: vram && vram.unifiedSize === 0 ? vram.free : availableMemory(),
    onGpu,
  })
}

function describe({ InsufficientMemoryError }: Library, error: unknown): LoadError {
  if (error instanceof LoadError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new LoadError(error instanceof InsufficientMemoryError ? 'memory' : 'model', text)
}
