import { openGgml } from '@petals-chat/ggml/native'
import type { Command, LoadCommand, Message } from '../protocol.ts'
import { calibrate } from './calibrate.ts'
import { Job } from './job.ts'
import { KvPool } from './kv-pool.ts'
import { findLongKernels } from './long-kernels.ts'
import { openBlocks } from './open-blocks.ts'
import { selfCheck } from './self-check.ts'
import { StepRunner } from './step-runner.ts'
import { StepScheduler } from './step-scheduler.ts'

/** The version of ggml whose functions are called; `selfCheck` shows that they do what they should. */
export const expectedGgmlVersion = '0.25.1'

/** How often a step is looked at that may hang. */
const stepCheckMs = 500

type Send = (message: Message) => void
type After<Type extends Command['type']> = Extract<Command, { readonly type: Type }>

/** Serves commands once the blocks are loaded. */
export class BlockWorker {
  readonly #send: Send
  readonly #pool: KvPool
  readonly #runner: StepRunner
  readonly #scheduler: StepScheduler

  private constructor(send: Send, pool: KvPool, runner: StepRunner, { settings }: LoadCommand) {
    this.#send = send
    this.#pool = pool
    this.#runner = runner
    this.#scheduler = new StepScheduler(runner, pool, settings, {
      onDone: (request, states) => send({ type: 'done', request, states }),
      onFailed: (request, error) => this.#fail(request, error),
    })
  }

  /** Opens the libraries, checks them, and loads the blocks. @throws Error that says what is wrong */
  static async start(command: LoadCommand, send: Send): Promise<BlockWorker> {
    const { settings, blocks } = command
    const ggml = openGgml(settings.libraries)
    const version = ggml.version()
    if (version !== expectedGgmlVersion)
      throw new Error(
        `The installed llama.cpp has another version of ggml (${version}, not ${expectedGgmlVersion}). Run \`npm ci\`.`,
      )
    await selfCheck(ggml, settings.device)
    const onProgress = (fraction: number): void => send({ type: 'progress', fraction })
    onProgress(0) // the self-check has passed
    const opened = await openBlocks(ggml, command, onProgress)
    const { backend, loaded, weightBytes, cacheBytes } = opened
    const longSteps =
      settings.device === 'cpu'
        ? await findLongKernels(backend, settings.libraries, mainType(command.tensors))
        : undefined
    const runner = new StepRunner(backend, loaded, longSteps)
    const pool = new KvPool(backend, loaded, settings.cacheTokens)
    const threads = await calibrate(runner, pool, { blocks, threads: settings.threads })
    runner.setThreads(threads)
    const { device } = backend
    send({ type: 'ready', device, threads, weightBytes, cacheBytes, computeBytes: runner.computeBytes })
    const worker = new BlockWorker(send, pool, runner, command)
    setInterval(() => worker.#checkStep(), stepCheckMs).unref()
    return worker
  }

  handle(command: Exclude<Command, LoadCommand>): void {
    switch (command.type) {
      case 'open':
        return this.#between(command.request, () => this.#pool.open(command.cache, command))
      case 'close':
        return this.#close(command)
      case 'step':
        return this.#step(command)
      case 'cancel':
        return this.#scheduler.cancel((job) => job.command.request === command.request)
      case 'ping':
        return this.#send({ type: 'pong' })
    }
  }

  #checkStep(): void {
    const limitMs = this.#runner.overdueMs()
    if (limitMs !== undefined) this.#send({ type: 'hung', limitMs })
  }

  #close({ cache, request }: After<'close'>): void {
    this.#scheduler.cancel((job) => job.command.cache === cache)
    this.#between(request, () => this.#pool.close(cache))
  }

  #step(command: After<'step'>): void {
    try {
      this.#scheduler.add(new Job(command, this.#pool.get(command.cache), this.#runner.hiddenSize))
    } catch (error) {
      this.#fail(command.request, error)
    }
  }

  #between(request: number, task: () => void): void {
    this.#scheduler.between(() => {
      try {
        task()
        this.#send({ type: 'done', request })
      } catch (error) {
        this.#fail(request, error)
      }
    })
  }

  #fail(request: number, error: unknown): void {
    this.#send({ type: 'failed', request, text: error instanceof Error ? error.message : String(error) })
  }
}

/** The type that most weights have. */
function mainType(tensors: LoadCommand['tensors']): number {
  const weights = new Map<number, number>()
  for (const { type, shape } of tensors) {
    const count = shape.reduce((product, size) => product * size, 1)
    weights.set(type, (weights.get(type) ?? 0) + count)
  }
  return [...weights].reduce((a, b) => (b[1] > a[1] ? b : a))[0]
}
