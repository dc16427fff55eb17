/** The program in the process that computes. It serves the process that started it, over IPC, and ends with it. */
import process from 'node:process'
import type { Command, Message } from '../protocol.ts'
import { BlockWorker } from './block-worker.ts'

let worker: BlockWorker | undefined

process.on('disconnect', endImmediately)
// Ctrl+C, a closed terminal and a service manager send their signals to all processes: the server decides when this one ends.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => {})
process.on('message', (command: Command) => {
  if (command.type === 'load') void load(command)
  else worker?.handle(command)
})

async function load(command: Extract<Command, { readonly type: 'load' }>): Promise<void> {
  try {
    worker = await BlockWorker.start(command, throttled(send))
  } catch (error) {
    send({ type: 'load-failed', text: error instanceof Error ? error.message : String(error) })
  }
}

function send(message: Message): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

/** Often enough for a progress bar. */
const progressIntervalMs = 200

function throttled(target: typeof send): typeof send {
  let reportedAt = -Infinity
  return (message) => {
    if (message.type === 'progress') {
      if (performance.now() - reportedAt < progressIntervalMs) return
      reportedAt = performance.now()
    }
    target(message)
  }
}

/** Ends without exit handlers: native threads may be computing, and there is nothing to save. */
function endImmediately(): void {
  process.kill(process.pid, 'SIGKILL')
}
