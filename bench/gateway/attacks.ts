import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PetalsChat } from '../../tests/e2e/support/petals-chat.ts'
import { quantile, rounded } from '../support/statistics.ts'
import { growthOf, readProcess, readUntil } from '../support/process-state.ts'
import { promptFlood } from './prompt-flood.ts'
import { allClosed, frame, openMany, openSilentWebSocket } from './raw-client.ts'

/** The figures of one attack; `holds`: within the bounds of the reliability promises. */
export interface Finding {
  readonly attack: string
  readonly holds: boolean
  readonly figures: Readonly<Record<string, number>>
}

export interface Attack {
  /** What `--only` is compared with. */
  readonly name: string
  run(server: PetalsChat): Promise<Finding>
}

/** The 99th percentile of the time of a small request. */
async function probe(url: string, count = 200): Promise<number> {
  const times: number[] = []
  while (times.length < count) {
    const startedAt = performance.now()
    await (await fetch(`${url}/healthz`)).text()
    times.push(performance.now() - startedAt)
  }
  return rounded(quantile(times, 0.99))
}

/** Sends one byte on each connection every two seconds until all are closed. */
function drip(sockets: readonly Socket[], byte: string): Disposable {
  const timer = setInterval(() => {
    for (const socket of sockets) if (!socket.destroyed) socket.write(byte)
  }, 2_000)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

const slowLoris = (attack: string, head: string): Attack => ({
  name: attack,
  async run({ url }) {
    const calmMs = await probe(url)
    const sockets = await openMany(url, 1_000)
    for (const socket of sockets) socket.write(head)
    const startedAt = performance.now()
    using _drip = drip(sockets, 'a')
    // The first second is that of a thousand ordinary requests.
    await sleep(1_000)
    const attackedMs = await probe(url)
    await allClosed(sockets)
    const goneAfterMs = Math.round(performance.now() - startedAt)
    const holds = goneAfterMs <= 16_000 && attackedMs <= Math.max(2 * calmMs, 50)
    return { attack, holds, figures: { calmMs, attackedMs, goneAfterMs } }
  },
})

async function deadWebSockets({ url, process: { pid } }: PetalsChat): Promise<Finding> {
  const before = await readProcess(pid!)
  const sockets: Socket[] = []
  while (sockets.length < 1_000) sockets.push(await openSilentWebSocket(url))
  const open = await readProcess(pid!)
  const startedAt = performance.now()
  await allClosed(sockets)
  const goneAfterMs = Math.round(performance.now() - startedAt)
  const after = await readUntil(pid!, ({ files }) => files <= before.files, 5_000)
  const grownMiB = open.residentMiB - before.residentMiB
  return {
    attack: 'G7: 1,000 WebSockets of peers that are gone',
    holds: goneAfterMs <= 60_000 && after.files <= before.files && grownMiB <= 20,
    figures: { grownMiB, goneAfterMs, filesBefore: before.files, filesAfter: after.files },
  }
}

async function fragments({ url, process: { pid } }: PetalsChat): Promise<Finding> {
  const sockets = await Promise.all(Array.from({ length: 50 }, () => openSilentWebSocket(url)))
  const first = frame('x', { isLast: false })
  const next = frame('x', { opcode: 0, isLast: false })
  const flood = Buffer.concat([first, ...Array<Buffer>(131_000).fill(next)])
  const grownMiB = await growthOf(pid!, async () => {
    for (const socket of sockets) socket.write(flood)
    await allClosed(sockets)
  })
  return {
    attack: '50 WebSockets with 131,000 fragments of one byte',
    holds: grownMiB <= 32,
    figures: { grownMiB },
  }
}

async function inboxes({ url, process: { pid } }: PetalsChat): Promise<Finding> {
  const sockets = await Promise.all(Array.from({ length: 30 }, () => openSilentWebSocket(url)))
  const message = frame('x'.repeat(4_000_000), { isLast: false })
  const grownMiB = await growthOf(pid!, async () => {
    for (const socket of sockets) socket.write(message)
    await Promise.race(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
    for (const socket of sockets) socket.destroy()
    await allClosed(sockets)
  })
  return {
    attack: '30 WebSockets with an unfinished message of 4 MB each (budget 64 MiB)',
    holds: grownMiB <= 128,
    figures: { grownMiB },
  }
}

export const attacks: readonly Attack[] = [
  slowLoris(
    'G5: 1,000 connections that drip their headers',
    'GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ',
  ),
  slowLoris(
    'G5: 1,000 connections that drip their bodies',
    'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n',
  ),
  slowLoris(
    'G5: 1,000 connections whose bodies begin to drip after 20 kB',
    `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n${'a'.repeat(20_000)}`,
  ),
  { name: 'fragments', run: fragments },
  { name: 'inboxes', run: inboxes },
  { name: 'G7', run: deadWebSockets },
  { name: 'G4', run: promptFlood },
]
