import { setTimeout as delay } from 'node:timers/promises'
import type { SwarmServer } from '../../swarm/server.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { repeat, type Tally } from './tally.ts'

export interface ChurnOptions {
  readonly swarm: Swarm
  /** The mean pause between two faults, in milliseconds. */
  readonly pauseMs: number
  /** From 0 to 1. */
  readonly random: () => number
  readonly signal: AbortSignal
  readonly tally: Tally
}

/** A stopped server costs each of its answers a deadline. */
const HANG_MS = 8000

/**
 * Kills servers (another one joins in their place) and stops servers for a while, one fault after the other. Each span
 * keeps a server that works.
 */
export async function runChurn({ swarm, pauseMs, random, signal, tally }: ChurnOptions): Promise<void> {
  const isLost = new Set<SwarmServer>()
  await repeat('churn', { signal, tally }, async () => {
    await delay(pauseMs * (0.5 + random()), undefined, { signal })
    const working = swarm.servers.filter((server) => server.running() && !isLost.has(server))
    const server = working[Math.floor(random() * working.length)]!
    const { start, end } = server
    if (working.filter((other) => other.start === start).length < 2) return
    if (random() < 0.4) return hang(server, tally)
    tally.count('servers killed')
    isLost.add(server)
    server.signal('SIGKILL')
    await server.exited
    await swarm.add({ start, end })
    tally.count('servers joined')
  })
}

async function hang(server: SwarmServer, tally: Tally): Promise<void> {
  tally.count('servers stopped for a while')
  server.signal('SIGSTOP')
  try {
    await delay(HANG_MS)
  } finally {
    server.signal('SIGCONT')
  }
}
