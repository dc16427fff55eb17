import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { runProgram } from './program.ts'
import { steadyStream } from './terminal/steady-stream.ts'
import { Terminal } from './terminal/terminal.ts'

let lost: NodeJS.ErrnoException | undefined
const terminal = new Terminal({
  stdout: steadyStream(process.stdout, { onLost: (error) => (lost ??= error) }),
  stderr: steadyStream(process.stderr),
})
const args = process.argv.slice(2)

/** The configuration itself may have failed to load, so the level is read from where the user can set it. */
const withStack =
  process.env.PETALS_CHAT_LOG_LEVEL === 'debug' || /--log-level[= ]debug\b/.test(args.join(' '))
const fail = (error: unknown): number => reportFailure(error, terminal, { withStack })

process.on('uncaughtException', (error) => {
  process.exit(fail(error))
})

// The reader of the output has closed it (`petals-chat … | head`), the terminal was closed (EIO), or the disk of the log
// is full. None of these is a reason to stop serving.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

// The process that started this one has ended. A command that handles SIGTERM has work to finish, and handles this, too.
process.once('disconnect', () => {
  if (process.listenerCount('SIGTERM') === 0) process.exit(exitCodes.failure)
})
process.channel?.unref()

const exitCode = await runProgram(args, {
  terminal,
  environment: process.env,
  workingDirectory: process.cwd(),
}).catch(fail)
if (lost !== undefined)
  terminal.note(`petals-chat: a part of the output could not be written: ${lost.message}.`)
// An incompletely written result is not a success.
process.exitCode = lost === undefined ? exitCode : exitCode || exitCodes.failure
