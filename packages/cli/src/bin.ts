import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { runProgram } from './program.ts'
import { Terminal } from './terminal/terminal.ts'

const terminal = new Terminal()
const args = process.argv.slice(2)

/** The configuration may be what failed: the level is looked for where the user would have said it. */
const withStack =
  process.env.PETALS_CHAT_LOG_LEVEL === 'debug' || /--log-level[= ]debug\b/.test(args.join(' '))
const fail = (error: unknown): number => reportFailure(error, terminal, { withStack })

process.on('uncaughtException', (error) => {
  process.exit(fail(error))
})

// Whoever read our output has read enough (`petals-chat … | head`), or the terminal was closed (EIO): no reason to fail, or
// to stop serving.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  })
}

// The process that started this one is gone. Who handles SIGTERM has something to finish, and listens to this, too.
process.once('disconnect', () => {
  if (process.listenerCount('SIGTERM') === 0) process.exit(exitCodes.failure)
})
process.channel?.unref()

process.exitCode = await runProgram(args, {
  terminal,
  environment: process.env,
  workingDirectory: process.cwd(),
}).catch(fail)
