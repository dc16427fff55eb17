import { ContributeError } from '@petals-chat/contribute'
import type { CommandContext } from '../context.ts'
import { describePreparation, serverCommand } from '../contribute/describe-preparation.ts'
import { prepare, type Preparation } from '../contribute/prepare.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { waitForShutdown } from '../serve/shutdown.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Runs this machine as a server of a swarm until the user stops it. */
export async function contribute(context: CommandContext, args: readonly string[]): Promise<number> {
  const { terminal } = context
  try {
    terminal.status('Checking the model and this machine …')
    const preparation = await prepare(context, args)
    terminal.status('')
    describe(terminal, preparation)
    if (preparation.request.isDryRun) describeStart(terminal, preparation)
    else await run(context, preparation)
    return exitCodes.ok
  } catch (error) {
    if (error instanceof ContributeError)
      throw new CommandError(error.message, exitCodes.failure, { cause: error })
    throw error
  }
}

function describe(terminal: Terminal, preparation: Preparation): void {
  const { engine, reason } = preparation
  if (reason !== undefined)
    terminal.note(`${terminal.style('yellow', '!')} A Python server serves the blocks. ${reason}`)
  const fields = describePreparation(preparation)
  const width = Math.max(...fields.map(([label]) => label.length))
  for (const [label, value] of fields) terminal.out(`${terminal.style('dim', label.padEnd(width))}  ${value}`)
  const warnings = engine === 'python' ? preparation.server.warnings : preparation.warnings
  for (const warning of warnings) terminal.note(`${terminal.style('yellow', '!')} ${warning}`)
}

function describeStart(terminal: Terminal, preparation: Preparation): void {
  if (preparation.engine === 'python')
    terminal.out(`\nThe server would be started by:\n  ${serverCommand(preparation)}`)
  else terminal.out('\nNothing was started: leave out --dry-run to serve the blocks.')
}

/** Serves until SIGINT, SIGTERM or the end of the terminal; a second signal ends it at once. */
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
    await serve(context, preparation, stop.signal)
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
}

async function serve(context: CommandContext, preparation: Preparation, signal: AbortSignal): Promise<void> {
  if (preparation.engine === 'python') {
    const { servePython } = await import('../contribute/serve-python.ts')
    return servePython(context, preparation, signal)
  }
  const { serveNative } = await import('../contribute/serve-native.ts')
  return serveNative(context, preparation, signal)
}
