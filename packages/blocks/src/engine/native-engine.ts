import { silentLogger } from '@petals-chat/engine'
import { librariesVersion } from '@petals-chat/ggml'
import { countCores, findLlamaLibraries } from '@petals-chat/llama'
import { cellsOf } from '../model/cells.ts'
import type { LoadCommand, ReadyMessage, ThreadRange } from '../protocol.ts'
import { BlockClient } from './block-client.ts'
import type {
  BlockCache,
  BlockEngine,
  BlockEngineInfo,
  BlockPass,
  OpenCacheOptions,
  SinglePass,
} from './block-engine.ts'
import { CacheAdmission } from './cache-admission.ts'
import { checkBlocks, checkPass } from './check-pass.ts'
import { EngineCache } from './engine-cache.ts'
import { EngineEndedError, InvalidPassError } from './errors.ts'
import { fetchWeights, planTensors, weightBytesOf, type PlannedTensor } from './fetch-weights.ts'
import { keptNumbersOf } from './kept-numbers.ts'
import { planMemory, sliceTokens, usableMemory } from './memory-plan.ts'
import type { BlockEngineOptions } from './options.ts'
import { Readiness } from './readiness.ts'

/** About how long other sessions wait for a part of a long pass, in milliseconds. */
const sliceMs = 80
/** How long a pass without a session waits for room in the cache. */
const forwardTimeoutMs = 60_000
const usualMaxBatchTokens = 8192
/** chat.petals.dev allowed it for all models with rotary positions. */
const rotaryLength = 8192

/** Loads blocks and starts the process that computes them. @throws ModelUnavailableError, EngineEndedError */
export async function startBlockEngine(options: BlockEngineOptions): Promise<NativeBlockEngine> {
  const { model, start, end, weights = 'as-stored', signal, onProgress } = options
  const { shape } = model
  const libraries = librariesFor(options)
  const tensors = planTensors(await model.tensors(start, end), weights)
  const { cacheTokens } = planMemory({
    shape,
    blocks: end - start,
    weightBytes: weightBytesOf(tensors),
    cacheType: options.cacheType ?? 'f16',
    cacheTokens: options.cacheTokens,
    sliceTokens,
    memoryBytes: options.memoryBytes ?? usableMemory(),
  })
  const loads = await fetchWeights(model.files, tensors, start, { signal, onProgress })
  const load: LoadCommand = {
    type: 'load',
    shape,
    blocks: end - start,
    tensors: loads,
    settings: {
      libraries,
      device: (options.device ?? 'cpu') === 'cpu' ? 'cpu' : 'gpu',
      threads: threadRange(options),
      cacheType: options.cacheType ?? 'f16',
      cacheTokens,
      sliceTokens,
      sliceMs,
    },
  }
  return await NativeBlockEngine.start(load, infoOf(options, tensors, cacheTokens), options)
}

/** One core is for others, unless it is idle. */
function threadRange({ threads: limit = Infinity, device = 'cpu' }: BlockEngineOptions): ThreadRange {
  if (device !== 'cpu') return { usual: 1, most: 1 }
  const { available } = countCores()
  const usual = Math.max(1, Math.min(limit, available - 1))
  return { usual, most: Math.min(limit, available) }
}

/** @throws EngineEndedError if llama.cpp's libraries are missing or are others than those that this package knows */
function librariesFor({ device = 'cpu' }: BlockEngineOptions): string {
  const found = findLlamaLibraries(device === 'cpu' ? undefined : device)
  if (!found)
    throw new EngineEndedError(
      `llama.cpp's libraries for ${device} are not installed. Run \`npm ci\`, or choose another device.`,
    )
  if (found.version !== librariesVersion)
    throw new EngineEndedError(
      `llama.cpp's libraries have the version ${found.version}, not ${librariesVersion}. Run \`npm ci\`.`,
    )
  return found.folder
}

function infoOf(
  options: BlockEngineOptions,
  tensors: readonly PlannedTensor[],
  cacheTokens: number,
): BlockEngineInfo {
  const { model, start, end, maxLength, maxBatchTokens = usualMaxBatchTokens } = options
  const { shape } = model
  const usualLength = shape.rope ? Math.max(shape.contextLength, rotaryLength) : shape.contextLength
  return {
    start,
    end,
    hiddenSize: shape.hiddenSize,
    ...keptNumbersOf(tensors),
    cacheTokens,
    maxLength: Math.min(maxLength ?? usualLength, cacheTokens),
    maxBatchTokens,
  }
}

/** An engine whose blocks are computed by llama.cpp's kernels in a child process. */
export class NativeBlockEngine implements BlockEngine {
  readonly info: BlockEngineInfo
  readonly #client: BlockClient
  readonly #admission: CacheAdmission
  readonly #readiness: Readiness

  private constructor(
    info: BlockEngineInfo,
    client: BlockClient,
    { admission, readiness }: { readonly admission: CacheAdmission; readonly readiness: Readiness },
  ) {
    this.info = info
    this.#client = client
    this.#admission = admission
    this.#readiness = readiness
  }

  static async start(
    load: LoadCommand,
    info: BlockEngineInfo,
    {
      maxRestarts = 5,
      unresponsiveMs = 60_000,
      loadStallMs = 180_000,
      logger = silentLogger,
      onProgress,
      signal,
    }: BlockEngineOptions,
  ): Promise<NativeBlockEngine> {
    const admission = new CacheAdmission(load.blocks, load.settings.cacheTokens)
    const readiness = new Readiness()
    const client = new BlockClient({
      load,
      maxRestarts,
      unresponsiveMs,
      loadStallMs,
      logger,
      onProgress: (fraction) =>
        onProgress?.({
          phase: 'load',
          label: `blocks ${info.start} to ${info.end - 1}`,
          done: Math.round(fraction * 100),
          total: 100,
          unit: 'percent',
        }),
      onLost: () => {
        admission.reset()
        readiness.set(false)
      },
      onReady: () => readiness.set(true),
    })
    try {
      await client.ready({ signal })
      return new NativeBlockEngine(info, client, { admission, readiness })
    } catch (error) {
      await client[Symbol.asyncDispose]()
      throw error
    }
  }

  /** What the process measured and reserved when it last became ready. @throws EngineEndedError */
  get machine(): Promise<ReadyMessage> {
    return this.#client.ready()
  }

  /** The process that computes, for tests and for people. */
  get pid(): number | undefined {
    return this.#client.pid
  }

  get ended(): Promise<Error> {
    return this.#client.ended
  }

  get cacheTokensLeft(): number {
    return this.#admission.free
  }

  get isReady(): boolean {
    return this.#readiness.isReady
  }

  onReadiness(listener: () => void): void {
    this.#readiness.onChange(listener)
  }

  async openCache(options: OpenCacheOptions): Promise<BlockCache> {
    const { start, end, batch, maxLength, timeoutMs, owner = '', origin = owner, signal } = options
    checkBlocks(this.info, start, end)
    if (!(Number.isSafeInteger(batch) && batch > 0 && Number.isSafeInteger(maxLength) && maxLength >= 0))
      throw new InvalidPassError('The session has no rows or no length.')
    await this.#untilReady(timeoutMs, signal)
    const [from, to] = [start - this.info.start, end - this.info.start]
    const cells = cellsOf(maxLength) * batch
    const reclaim = new AbortController()
    const onReclaim = (): void => reclaim.abort()
    const room = await this.#admission.take({
      from,
      to,
      cells,
      timeoutMs,
      owner,
      origin,
      onReclaim,
      signal,
    })
    return await EngineCache.open(this.#client, this.info, options, { room, reclaimed: reclaim.signal })
  }

  async forward(pass: SinglePass): Promise<Float32Array> {
    checkPass(this.info, pass)
    const outputs = new Float32Array(pass.states.length)
    const size = pass.tokens * this.info.hiddenSize
    const rows = Math.max(1, Math.min(pass.batch, Math.floor(sliceTokens / cellsOf(pass.tokens))))
    for (let row = 0; row < pass.batch; row += rows) {
      const part = rowsOf(pass, row, Math.min(pass.batch, row + rows), size)
      outputs.set(await this.#forwardRows(part), row * size)
    }
    return outputs
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]()
  }

  async #forwardRows(pass: SinglePass): Promise<Float32Array> {
    const { start, end, batch, tokens: maxLength, owner, origin, signal } = pass
    await using cache = await this.openCache({
      start,
      end,
      batch,
      maxLength,
      timeoutMs: forwardTimeoutMs,
      owner,
      origin,
      ...(signal && { signal }),
    })
    return await cache.step(pass)
  }

  /** A process that is being started again is waited for. @throws EngineEndedError */
  async #untilReady(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const timeout = AbortSignal.timeout(Math.max(1, timeoutMs))
    try {
      await this.#client.ready({ signal: signal ? AbortSignal.any([signal, timeout]) : timeout })
    } catch (error) {
      if (error !== timeout.reason) throw error
      throw new EngineEndedError(
        'The process that computes the blocks is being started again. Try again in a moment.',
      )
    }
  }
}

/** A part of the rows of a pass. */
function rowsOf(pass: SinglePass, from: number, to: number, size: number): SinglePass {
  const { prompts } = pass
  const part = { ...pass, batch: to - from, states: pass.states.subarray(from * size, to * size) }
  return prompts ? { ...part, prompts: promptsOf(pass, prompts, from, to) } : part
}

function promptsOf(
  { start, end, batch, tokens, states }: BlockPass,
  { length, values }: NonNullable<BlockPass['prompts']>,
  from: number,
  to: number,
): NonNullable<BlockPass['prompts']> {
  const blocks = end - start
  const row = (length * states.length) / (batch * tokens)
  // Prompts of one row are for all rows.
  if (values.length === blocks * row) return { length, values }
  const result = new Float32Array(blocks * (to - from) * row)
  for (let block = 0; block < blocks; block++) {
    const first = (block * batch + from) * row
    result.set(values.subarray(first, first + (to - from) * row), block * (to - from) * row)
  }
  return { length, values: result }
}
