import { formatModelSource } from '@petals-chat/engine'
import {
  ContributeError,
  joinCommand,
  keepServing,
  makeEnvironment,
  quoteWord,
  serverArguments,
  serverEnvironment,
  startPetalsProcess,
  type ServerState,
} from '@petals-chat/contribute'
import type { CommandContext } from '../context.ts'
import { Activity } from '../contribute/activity.ts'
import { describePreparation, serverCommand } from '../contribute/describe-preparation.ts'
import { prepare, type Preparation } from '../contribute/prepare.ts'
import { startingWords, servingWords } from '../contribute/state-words.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { launcher } from '../launcher.ts'
import { waitForShutdown } from '../serve/shutdown.ts'
import { formatDuration } from '../terminal/format.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Interval of status lines where a line can't be redrawn; a line is printed only if it has changed. */
const statusEveryMs = 60_000

/** Runs this machine as a server of a swarm until the user stops it. */
export async function contribute(context: CommandContext, args: readonly string[]): Promise<number> {
  const { terminal } = context
  try {
    terminal.status('Checking the model and this machine …')
    const preparation = await prepare(context, args)
    terminal.status('')
    describe(terminal, preparation)
    if (preparation.request.isDryRun) {
      terminal.out(`\nThe server would be started by:\n  ${serverCommand(preparation)}`)
      return exitCodes.ok
    }
    await run(context, preparation)
    return exitCodes.ok
  } catch (error) {
    if (error instanceof ContributeError)
      throw new CommandError(error.message, exitCodes.failure, { cause: error })
    throw error
  }
}

function describe(terminal: Terminal, preparation: Preparation): void {
  const fields = describePreparation(preparation)
  const width = Math.max(...fields.map(([label]) => label.length))
  for (const [label, value] of fields) terminal.out(`${terminal.style('dim', label.padEnd(width))}  ${value}`)
  for (const warning of preparation.server.warnings)
    terminal.note(`${terminal.style('yellow', '!')} ${warning}`)
}

/** Creates the environment if needed, then keeps the server running until SIGINT, SIGTERM or the end of the terminal. */
async function run(context: CommandContext, preparation: Preparation): Promise<void> {
  const { terminal } = context
  const stop = new AbortController()
  const stopping = waitForShutdown({
    onFirst: () => {
      stop.abort(new CommandError('Stopped.', exitCodes.interrupted))
      terminal.status('')
      terminal.note('Stopping: the server is leaving the swarm. Press Ctrl+C again to stop at once.')
    },
  })
  void stopping
  try {
    await createIfNeeded(terminal, preparation, stop.signal)
    await serve(context, preparation, stop.signal)
  } catch (error) {
    if (!stop.signal.aborted) throw withLog(error, preparation)
  }
}

async function createIfNeeded(
  terminal: Terminal,
  { environment }: Preparation,
  signal: AbortSignal,
): Promise<void> {
  if (environment.plan === undefined) return
  using activity = new Activity(terminal)
  await makeEnvironment(environment.plan, {
    onProgress: (title, detail) => activity.show(title, detail),
    signal,
  })
  activity.show('')
  terminal.note(`The Python environment is ready: ${environment.folder}`)
}

async function serve(
  { terminal, environment }: CommandContext,
  preparation: Preparation,
  signal: AbortSignal,
): Promise<void> {
  const { settings, model, loaded, logFile, request } = preparation
  const display = new ServerDisplay(terminal, preparation)
  const serverVariables = serverEnvironment(settings, {
    isLocal: model.isLocal,
    hub: loaded.config.hub,
    environment,
  })
  try {
    await keepServing({
      start: (onEvent, restarts) =>
        startPetalsProcess({
          python: preparation.environment.python,
          args: serverArguments(settings),
          environment: serverVariables,
          logFile,
          append: restarts > 0,
          onEvent,
          onLine: request.isVerbose ? (line) => terminal.note(line) : undefined,
        }),
      onState: (state) => display.update(state),
      onRestart: ({ message }, pauseMs) =>
        terminal.note(
          `${message}\nThe server restarts in ${formatDuration(pauseMs / 1000)} (log: ${logFile}).`,
        ),
      signal,
    })
  } finally {
    display[Symbol.dispose]()
  }
}

/** Refers to the log, which has the failed server's own messages. */
function withLog(error: unknown, { logFile, request }: Preparation): unknown {
  if (!(error instanceof ContributeError) || request.isVerbose) return error
  return new ContributeError(
    `${error.message}\nThe server's log: ${logFile} (or run the command again with --verbose).`,
    {
      cause: error,
    },
  )
}

/** Shows the state of the server from its start to its end. */
class ServerDisplay implements Disposable {
  readonly #terminal: Terminal
  readonly #preparation: Preparation
  readonly #timer: NodeJS.Timeout
  #activity: Activity | undefined
  #state: ServerState | undefined
  #servingSince: number | undefined
  #isAnnounced = false
  #lastLine = ''

  constructor(terminal: Terminal, preparation: Preparation) {
    this.#terminal = terminal
    this.#preparation = preparation
    this.#timer = setInterval(() => this.#tick(), terminal.isInteractive ? 500 : statusEveryMs)
  }

  update(state: ServerState): void {
    const { blocks } = this.#preparation.blockModel
    this.#state = state
    if (state.phase === 'serving') {
      this.#activity?.[Symbol.dispose]()
      this.#activity = undefined
      this.#servingSince ??= performance.now()
      if (!this.#isAnnounced) this.#announce(state)
      this.#isAnnounced = true
      return
    }
    this.#activity ??= new Activity(this.#terminal)
    this.#activity.show(...startingWords(state, blocks))
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#activity?.[Symbol.dispose]()
    this.#terminal.status('')
    if (this.#state !== undefined && this.#isAnnounced) this.#terminal.note(this.#statusLine())
  }

  #announce({ addresses }: ServerState): void {
    const terminal = this.#terminal
    const { settings, model, blockModel } = this.#preparation
    terminal.status('')
    terminal.out(`\n${terminal.style('green', '✓')} ${this.#statusLine()}`)
    if (settings.swarm === 'public') return terminal.out('Ctrl+C leaves the swarm.')
    const others = settings.swarm === 'new' ? addresses : [...addresses, ...settings.swarm]
    const target = {
      model: model.revision === undefined ? model.model : formatModelSource(model.source),
      swarm: others,
      dhtPrefix: settings.dhtPrefix,
      adapters: settings.adapters,
    }
    const start = launcher()
    terminal.out(`  Addresses: ${addresses.join(' ')}`)
    terminal.out(`\nAnother machine joins with:\n\n  ${joinCommand(start, target)}\n`)
    terminal.out(
      `Once all ${blockModel.blocks} blocks are held, chat with it:\n\n  ${this.#chatCommand(start, others)}\n`,
    )
    terminal.out('Ctrl+C leaves the swarm.')
  }

  #chatCommand(start: string, addresses: readonly string[]): string {
    const { settings, model } = this.#preparation
    const prefix = settings.dhtPrefix === undefined ? [] : ['--dht-prefix', settings.dhtPrefix]
    const words = [
      '--swarm',
      addresses.join(','),
      '--model',
      `petals:${formatModelSource(model.source)}`,
      ...prefix,
    ]
    return [start, ...words.map(quoteWord)].join(' ')
  }

  #statusLine(): string {
    const upSeconds = (performance.now() - (this.#servingSince ?? performance.now())) / 1000
    return servingWords(this.#state!, this.#preparation.blockModel.blocks, upSeconds)
  }

  #tick(): void {
    if (this.#state?.phase !== 'serving') return
    if (this.#terminal.isInteractive) {
      this.#terminal.status(this.#statusLine().slice(0, this.#terminal.columns - 1))
      return
    }
    const line = this.#statusLine().replace(/ · up .*$/, '')
    if (line !== this.#lastLine) this.#terminal.note(this.#statusLine())
    this.#lastLine = line
  }
}
