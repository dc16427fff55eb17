import {
  ContributeError,
  keepServing,
  makeEnvironment,
  serverArguments,
  serverEnvironment,
  startPetalsProcess,
  type ServerState,
} from '@petals-chat/contribute'
import { formatDuration } from '../terminal/format.ts'
import type { CommandContext } from '../context.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { Activity } from './activity.ts'
import type { PythonPreparation } from './prepare.ts'
import { startingWords, servingWords } from './state-words.ts'
import { showWelcome, statusEveryMs } from './welcome.ts'

/** Creates the Python environment if needed, and keeps a server of Petals running until `signal` is aborted. @throws ContributeError */
export async function servePython(
  context: CommandContext,
  preparation: PythonPreparation,
  signal: AbortSignal,
): Promise<void> {
  try {
    await createIfNeeded(context.terminal, preparation, signal)
    await serve(context, preparation, signal)
  } catch (error) {
    throw withLog(error, preparation)
  }
}

async function createIfNeeded(
  terminal: Terminal,
  { environment }: PythonPreparation,
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
  preparation: PythonPreparation,
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
function withLog(error: unknown, { logFile, request }: PythonPreparation): unknown {
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
  readonly #preparation: PythonPreparation
  readonly #timer: NodeJS.Timeout
  #activity: Activity | undefined
  #state: ServerState | undefined
  #servingSince: number | undefined
  #isAnnounced = false
  #lastLine = ''

  constructor(terminal: Terminal, preparation: PythonPreparation) {
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
    const { model, blockModel, settings } = this.#preparation
    const place = { model, settings, addresses, blocks: blockModel.blocks }
    showWelcome(this.#terminal, place, this.#statusLine())
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
