import { setTimeout } from 'node:timers/promises'
import type { BlockEngineOptions, BlockServer } from '@petals-chat/blocks'
import { silentLogger, type LoadProgress, type Logger } from '@petals-chat/engine'
import { publicInitialPeers } from '@petals-chat/petals/config'
import type { CommandContext } from '../context.ts'
import { CommandError } from '../exit-codes.ts'
import { ProgressDisplay } from '../terminal/progress.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { version } from '../version.ts'
import { repositoryOfPage } from '../config/hub-page.ts'
import { nativeServingWords } from './native-words.ts'
import type { NativePreparation } from './prepare-native.ts'
import { showWelcome, statusEveryMs } from './welcome.ts'

/** How long open sessions may go on after the first signal. Clients go on with other servers after that. */
const drainMs = 30_000
const quietMs = 3000

/**
 * Serves blocks without Python until `signal` is aborted: then it announces that it leaves, and lets open sessions end.
 * @throws CommandError if the engine has ended for good, or the swarm can't be reached
 */
export async function serveNative(
  { terminal }: CommandContext,
  preparation: NativePreparation,
  signal: AbortSignal,
): Promise<void> {
  const { visibleDevices } = preparation.device
  // The process that computes inherits it.
  if (visibleDevices !== undefined) process.env.CUDA_VISIBLE_DEVICES = visibleDevices
  await using server = await start(terminal, preparation, signal)
  using display = new NativeDisplay(terminal, preparation, server)
  const stopped = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  const error = await Promise.race([server.ended, stopped])
  if (error !== undefined) throw new CommandError(error.message, undefined, { cause: error })
  await Promise.race([server.drain({ timeoutMs: drainMs }), untilQuiet(server)])
  display.finish()
}

/** Resolves when no session has computed anything for a while: clients keep sessions open for their next question. */
async function untilQuiet(server: BlockServer): Promise<void> {
  let tokens: number
  do {
    tokens = server.status().activity.tokens
    await setTimeout(quietMs, undefined, { ref: false })
  } while (server.status().activity.tokens !== tokens)
}

async function start(
  terminal: Terminal,
  preparation: NativePreparation,
  signal: AbortSignal,
): Promise<BlockServer> {
  const progress = new ProgressDisplay(terminal)
  terminal.note(preparation.settings.swarm === 'new' ? 'Starting a swarm …' : 'Joining the swarm …')
  const { startBlockServer } = await import('@petals-chat/blocks')
  try {
    return await startBlockServer({
      ...serverOptions(preparation),
      openEngine: openEngineOf(terminal, preparation, progress),
      logger: noteLogger(terminal, preparation.request.isVerbose),
      signal,
    })
  } catch (error) {
    signal.throwIfAborted()
    throw explained(error)
  } finally {
    progress.finish()
  }
}

/** Errors of the swarm and of the engine are sentences for people. */
function explained(error: unknown): unknown {
  const isForPeople =
    error instanceof Error && /^(EngineEnded|SwarmUnreachable|PeerUnreachable)/.test(error.name)
  return isForPeople ? new CommandError(error.message, undefined, { cause: error }) : error
}

function serverOptions({ settings, model, opened, request }: NativePreparation) {
  const { swarm, dhtPrefix, blocks, reach, identityPath, publicName } = settings
  const page = model.isGguf ? model.spec?.modelCard : `https://huggingface.co/${model.model}`
  const repository = model.isLocal || repositoryOfPage(page) === undefined ? undefined : page
  return {
    model: { dhtPrefix, numBlocks: opened.shape.blocks, repository },
    blocks,
    initialPeers: swarm === 'new' ? [] : swarm === 'public' ? publicInitialPeers : swarm,
    listen: listenAddresses(settings),
    announce: reach.kind === 'announced' ? reach.addresses : undefined,
    reach: reach.kind === 'relay' ? { relay: reach.address } : reach.kind === 'auto' ? 'auto' : 'direct',
    identityPath,
    publicName,
    networkBps: request.networkBps,
    version,
  } as const
}

function listenAddresses({ host, port }: NativePreparation['settings']): readonly string[] {
  if (host === undefined) return [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`]
  return [`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${port}`]
}

function openEngineOf(terminal: Terminal, preparation: NativePreparation, progress: ProgressDisplay) {
  const { opened, request, device, plan, settings } = preparation
  const options: Omit<BlockEngineOptions, 'start' | 'end'> = {
    model: opened,
    weights: settings.weights,
    device: device.kind,
    cacheTokens: request.cacheTokens,
    memoryBytes: plan.memoryBytes,
    threads: request.threads,
    logger: noteLogger(terminal, request.isVerbose),
    onProgress: progressOf(preparation, progress),
  }
  return async (
    range: { readonly start: number; readonly end: number },
    { signal }: { signal?: AbortSignal | undefined },
  ) => {
    const { startBlockEngine } = await import('@petals-chat/blocks')
    try {
      return await startBlockEngine({ ...options, ...range, signal })
    } finally {
      progress.finish()
    }
  }
}

/** One step for all blocks. What is on this machine is only read. */
function progressOf({ model }: NativePreparation, display: ProgressDisplay) {
  return (progress: LoadProgress): void => {
    if (progress.phase === 'download' && model.isLocal) return
    display.update(progress.phase === 'download' ? { ...progress, label: 'blocks' } : progress)
  }
}

/** Tells people what goes wrong, such as the process of the blocks that is started again; with `--verbose` everything. */
function noteLogger(terminal: Terminal, isVerbose: boolean): Logger {
  const note = (_: object, message: string): void => terminal.note(message)
  const warn = (_: object, message: string): void =>
    terminal.note(`${terminal.style('yellow', '!')} ${message}`)
  const told = /loaded again|moving|relays/i
  const logger: Logger = {
    ...silentLogger,
    info: (fields, message) => (isVerbose || told.test(message)) && note(fields, message),
    ...(isVerbose && { debug: note }),
    warn: (fields, message) => isVerbose && warn(fields, message),
    error: warn,
    child: () => logger,
  }
  return logger
}

/** Shows the work of the server while it serves. */
class NativeDisplay implements Disposable {
  readonly #terminal: Terminal
  readonly #preparation: NativePreparation
  readonly #server: BlockServer
  readonly #since = performance.now()
  readonly #timer: NodeJS.Timeout
  #lastLine = ''

  constructor(terminal: Terminal, preparation: NativePreparation, server: BlockServer) {
    this.#terminal = terminal
    this.#preparation = preparation
    this.#server = server
    const { model, settings, opened } = preparation
    const place = { model, settings, addresses: server.addresses, blocks: opened.shape.blocks }
    showWelcome(terminal, place, this.#line())
    this.#timer = setInterval(() => this.#tick(), terminal.isInteractive ? 500 : statusEveryMs)
  }

  /** Prints what the server has done. */
  finish(): void {
    this.#terminal.status('')
    this.#terminal.note(this.#line())
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#terminal.status('')
  }

  #line(): string {
    const upSeconds = (performance.now() - this.#since) / 1000
    return nativeServingWords(this.#server.status(), this.#preparation.opened.shape.blocks, upSeconds)
  }

  #tick(): void {
    const line = this.#line()
    if (this.#terminal.isInteractive) return this.#terminal.status(line.slice(0, this.#terminal.columns - 1))
    const lasting = line.replace(/ · up .*$/, '')
    if (lasting !== this.#lastLine) this.#terminal.note(line)
    this.#lastLine = lasting
  }
}
