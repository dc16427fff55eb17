import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { runProgram } from './program.ts'
import { steadyStream } from './terminal/steady-stream.ts'
import { Terminal } from './terminal/terminal.ts'

let isOutputLost = false
const terminal = new Terminal({
  stdout: steadyStream(process.stdout, { onLost: () => (isOutputLost = true) }),
  stderr: steadyStream(process.stderr),
})
const args = process.argv.slice(2)

/** The configuration may be what failed: the level is looked for where the user would have said it. */
const withStack =
  process.env.PETALS_CHAT_LOG_LEVEL === 'debug' || /--log-level[= ]debug\b/.test(args.join(' '))
const fail = (error: unknown): number => reportFailure(error, terminal, { withStack })

process.on('uncaughtException', (error) => {
  process.exit(fail(error))
})

// The reader of our output has read enough (`petals-chat … | head`), the terminal was closed (EIO), or the log's disk is
// full: no reason to stop serving.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

// The process that started this one is gone. Who handles SIGTERM has something to finish, and listens to this, too.
process.once('disconnect', () => {
  if (process.listenerCount('SIGTERM') === 0) process.exit(exitCodes.failure)
})
process.channel?.unref()

const exitCode = await runProgram(args, {
  terminal,
  environment: process.env,
  workingDirectory: process.cwd(),
}).catch(fail)
// A result that is not written whole is no success.
process.exitCode = isOutputLost ? exitCode || exitCodes.failure : exitCode
