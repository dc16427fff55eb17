import { basename } from 'node:path'
import {
  createDialogueTemplate,
  createJinjaChatTemplate,
  dialogueSchema,
  ModelUnavailableError,
  silentLogger,
  silentMetrics,
  type ChatTemplate,
  type Engine,
  type LoadOptions,
  type LoadProgress,
  type Logger,
  type Metrics,
  type Model,
  type ModelSource,
} from '@petals-chat/engine'
import type { LlamaConfig, LlamaModelSpec } from './config.ts'
import type { GgufInfo } from './gguf/gguf-info.ts'
import { readGguf } from './gguf/read-gguf.ts'
import { LlamaModel } from './llama-model.ts'
import { countCores, type CoreCount } from './machine/cpu-limit.ts'
import { tokenizerProbe, type ReadyMessage } from './protocol.ts'
import type { GgufTokenizer } from './tokenizer/gguf-tokenizer.ts'
import { createTokenizer } from './tokenizer/read-tokenizer.ts'
import { ModelWorker } from './worker/model-worker.ts'
import { ProcessSource } from './worker/process-source.ts'

export interface LlamaEngineDeps {
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Returns the path of the GGUF file of a source, which it downloads if necessary. @throws ModelUnavailableError */
  readonly resolveFile: (source: ModelSource, options: ResolveFileOptions) => Promise<string>
}

export interface ResolveFileOptions {
  /** Expected SHA-256, hex. */
  readonly sha256?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** Creates the local engine: GGUF models through llama.cpp, each in its own process. */
export function createLlamaEngine(config: LlamaConfig, deps: LlamaEngineDeps): Engine<LlamaModelSpec> {
  return new LlamaEngine(config, deps)
}

/** The parts of a load that is in progress. */
interface Loading {
  readonly worker: ModelWorker
  readonly cores: CoreCount
  readonly logger: Logger
}

class LlamaEngine implements Engine<LlamaModelSpec> {
  readonly name = 'llama'
  readonly #config: LlamaConfig
  readonly #resolveFile: LlamaEngineDeps['resolveFile']
  readonly #logger: Logger
  readonly #metrics: ReturnType<typeof createMetrics>
  readonly #cores = countCores()
  readonly #processes: ProcessSource
  readonly #models = new Set<LlamaModel>()
  readonly #loads = new Set<Promise<Model>>()
  readonly #closing = new AbortController()

  constructor(
    config: LlamaConfig,
    { resolveFile, logger = silentLogger, metrics = silentMetrics }: LlamaEngineDeps,
  ) {
    this.#config = config
    this.#resolveFile = resolveFile
    this.#logger = logger
    this.#metrics = createMetrics(metrics)
    this.#processes = new ProcessSource({ config, cores: this.#cores.available, logger })
  }

  async load(spec: LlamaModelSpec, { signal, onProgress }: LoadOptions = {}): Promise<Model> {
    const stop = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    stop.throwIfAborted()
    const load = this.#start(spec, { signal: stop, onProgress })
    this.#loads.add(load)
    try {
      return await load
    } finally {
      this.#loads.delete(load)
    }
  }

  async #start(spec: LlamaModelSpec, options: LoadOptions): Promise<Model> {
    const logger = this.#logger.child({ model: spec.id })
    const cores = this.#cores
    const { threads = 0 } = this.#config
    if (threads > cores.available) {
      logger.warn(
        { threads, cores },
        `llama.threads is ${threads}, but only ${cores.available} cores are available: more threads than cores make llama.cpp much slower.`,
      )
    }
    // The process starts while the file is resolved: opening llama.cpp takes as long as loading a small model.
    const worker = new ModelWorker({
      modelId: spec.id,
      config: this.#config,
      processes: this.#processes,
      logger,
      onRestart: () => this.#metrics.restarts.add(1, { model: spec.id }),
    })
    try {
      return await this.#load(spec, { worker, cores, logger }, options)
    } catch (error) {
      await worker[Symbol.asyncDispose]()
      throw error
    }
  }

  async #load(
    spec: LlamaModelSpec,
    { worker, cores, logger }: Loading,
    options: LoadOptions,
  ): Promise<Model> {
    const { signal, onProgress } = options
    const path = await this.#resolveFile(spec.source, { sha256: spec.sha256, signal, onProgress })
    const startedAt = performance.now()
    const { header, info } = await readGguf(path, { signal })
    const { contextLength, kvBytesPerToken, vocabSize } = info
    const facts = { contextLength, kvBytesPerToken, vocabSize }
    const report = progressReporter(basename(path), onProgress)
    const loading = worker.load({ path, facts }, report, { signal })
    loading.catch(() => {}) // if the tokenizer fails first, nothing waits for the load
    const tokenizer = createTokenizer(path, header)
    const ready = await loading
    checkTokenizer(tokenizer, ready, info, logger)
    logReady(logger, { spec, info, ready, cores, seconds: (performance.now() - startedAt) / 1000 })
    const model = new LlamaModel({
      id: spec.id,
      config: this.#config,
      tokenizer,
      chatTemplate: chatTemplateOf(spec, info, tokenizer),
      generation: info.generation,
      worker,
      fileSize: info.fileSize,
      ready,
      onSessions: (count) => this.#metrics.sessions.set(count, { model: spec.id }),
      onClose: () => this.#models.delete(model),
    })
    this.#models.add(model)
    return model
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new ModelUnavailableError('The local engine is closed.'))
    await Promise.allSettled(this.#loads)
    await Promise.all([...this.#models, this.#processes].map((owned) => owned[Symbol.asyncDispose]()))
  }
}

/** Returns the file's own template with the system prompt of the config; for a file without a template, the config's dialogue. */
function chatTemplateOf(
  { dialogue }: LlamaModelSpec,
  { chatTemplate }: GgufInfo,
  tokenizer: GgufTokenizer,
): ChatTemplate {
  const { bosText, eosText, controlTexts } = tokenizer
  if (chatTemplate === undefined)
    return createDialogueTemplate(dialogue ?? dialogueSchema.parse({}), controlTexts)
  const systemPrompt = dialogue?.systemPrompt
  return createJinjaChatTemplate({ template: chatTemplate, bosText, eosText, systemPrompt, controlTexts })
}

/** Both processes must tokenize a text alike: a difference makes answers worse without any other sign. */
function checkTokenizer(
  tokenizer: GgufTokenizer,
  { probe }: ReadyMessage,
  info: GgufInfo,
  logger: Logger,
): void {
  if (tokenizer.encode(tokenizerProbe).join() === probe.join()) return
  logger.warn(
    { tokenizer: info.tokenizer },
    "This model's tokenizer differs from llama.cpp's on a test text, so answers may be worse. Please report the model.",
  )
}

function progressReporter(label: string, onProgress: LoadOptions['onProgress']): (fraction: number) => void {
  return (fraction) =>
    onProgress?.({ phase: 'load', label, done: Math.round(fraction * 100), total: 100, unit: 'percent' })
}

interface ReadyFacts {
  readonly spec: LlamaModelSpec
  readonly info: GgufInfo
  readonly ready: ReadyMessage
  readonly cores: CoreCount
  readonly seconds: number
}

function logReady(logger: Logger, { spec, info, ready, cores, seconds }: ReadyFacts): void {
  const { sequences, contextLength, threads, backend, devices, kvCacheBytes, decodeTokensPerSecond } = ready
  const limit = cores.limitedBy ? `, limited by ${cores.limitedBy}` : ''
  const place = [backend.toUpperCase(), ...devices].join(' ')
  const longer =
    contextLength < info.contextLength
      ? ` (the model supports ${info.contextLength}, see llama.contextLength)`
      : ''
  logger.info(
    { ...ready, probe: undefined, stepTimes: undefined, cores, quantization: info.quantization, seconds },
    `${spec.id} is ready after ${seconds.toFixed(1)} s on the ${place}, threads: ${threads} of ${cores.available} cores` +
      `${limit} (${decodeTokensPerSecond.toFixed(0)} tokens/s); ${sequences} sessions of ${contextLength} tokens${longer}, ` +
      `KV cache ${Math.ceil(kvCacheBytes / 2 ** 20)} MiB.`,
  )
}

function createMetrics(metrics: Metrics) {
  return {
    restarts: metrics.counter({
      name: 'petals_chat_llama_restarts_total',
      help: 'Restarts of model processes that had died.',
      labels: ['model'],
    }),
    sessions: metrics.gauge({
      name: 'petals_chat_llama_sessions',
      help: 'Open sessions of the local engine.',
      labels: ['model'],
    }),
  }
}
