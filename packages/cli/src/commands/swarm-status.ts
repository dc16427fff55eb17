import { setTimeout } from 'node:timers/promises'
import type { SwarmStatus } from '@petals-chat/engine'
import { loadConfig } from '../config/load.ts'
import type { CommandContext } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { createRuntime } from '../runtime.ts'
import { renderSwarm } from '../swarm/render-swarm.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Interval of `--watch`. */
const watchIntervalMs = 2000

const clearScreen = '\u001b[H\u001b[2J\u001b[3J'

/**
 * Shows the servers of the configured swarm models; without such models, those of all models registered in the swarm.
 * Exit code 1 if a model can't answer.
 */
export async function showSwarm(context: CommandContext): Promise<number> {
  const { terminal, flags } = context
  const { json = false, watch = false } = flags
  const loaded = await loadConfig(context)
  await using runtime = await createRuntime(loaded, { terminal, quiet: true, withSwarm: true })
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  process.once('disconnect', onSignal)

  let status: SwarmStatus = { models: [] }
  if (json !== true) terminal.status('Querying the swarm …')
  try {
    do {
      status = await runtime.swarm!.status(stop)
      if (json === true) terminal.out(JSON.stringify(status, null, watch === true ? undefined : 2))
      else show(terminal, renderSwarm(status, { style: terminal.style.bind(terminal) }), watch === true)
    } while (watch === true && (await pause(stop.signal)))
  } catch (error) {
    if (!stop.signal.aborted) throw error
  } finally {
    terminal.status('')
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
    process.off('disconnect', onSignal)
  }
  const canAnswer = status.models.length > 0 && status.models.every(({ servable }) => servable)
  return canAnswer ? exitCodes.ok : exitCodes.failure
}

function show(terminal: Terminal, lines: readonly string[], watching: boolean): void {
  terminal.status('')
  if (watching && terminal.isInteractive) terminal.write(clearScreen)
  for (const line of lines) terminal.out(line)
  if (watching) terminal.out()
}

/** Resolves to false if the signal ended the pause. */
const pause = (signal: AbortSignal): Promise<boolean> =>
  setTimeout(watchIntervalMs, true, { signal }).catch(() => false)
