// npm run bench:sockets -- [--sockets 10000] [--seconds 60]
//
// Memory of the built program with many idle WebSockets of `/api/v2/generate`, from as many addresses of loopback as the
// default limits of one client ask for. The sockets stay open over several pings. Then one answers a request.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import WebSocket from 'ws'
import { startPetalsChat, withDefaultModel } from '../tests/e2e/support/petals-chat.ts'
import { describeMachine } from './support/machine.ts'
import { processCpuSeconds, processResidentBytes } from './support/process-cpu.ts'
import { quantile, rounded } from './support/statistics.ts'

const { values } = parseArgs({
  options: { sockets: { type: 'string', default: '10000' }, seconds: { type: 'string', default: '60' } },
})
const count = Number(values.sockets)
/** Below `maxWebSocketsPerClient`. */
const perAddress = 250
const atOnce = 50

function open(url: string, index: number): Promise<WebSocket> {
  const localAddress = `127.0.1.${1 + Math.floor(index / perAddress)}`
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/api/v2/generate`, { localAddress })
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Milliseconds from a request on an open socket to its first answer. */
async function ask(socket: WebSocket, message: object): Promise<number> {
  const startedAt = performance.now()
  const answer = new Promise<string>((resolve) => socket.once('message', (data) => resolve(String(data))))
  socket.send(JSON.stringify(message))
  const { ok } = JSON.parse(await answer) as { ok: boolean }
  if (!ok) throw new Error(await answer)
  return performance.now() - startedAt
}

const folder = await mkdtemp(path.join(tmpdir(), 'idle-sockets-'))
try {
  await writeFile(path.join(folder, 'petals-chat.yaml'), '{}\n')
  const env = await withDefaultModel()
  await using server = await startPetalsChat({ cwd: folder, env })
  const pid = server.process.pid!
  // The first socket loads what all of them share.
  const first = await open(server.url, 0)
  const session = { type: 'open_inference_session', max_length: 256 }
  await ask(first, session)
  await sleep(2000)
  const before = await processResidentBytes(pid)
  const sockets: WebSocket[] = []
  let closed = 0
  const startedAt = performance.now()
  while (sockets.length < count) {
    const next = Array.from({ length: Math.min(atOnce, count - sockets.length) }, (_, i) =>
      open(server.url, sockets.length + i),
    )
    for (const socket of await Promise.all(next)) {
      socket.on('close', () => closed++)
      sockets.push(socket)
    }
  }
  const openSeconds = (performance.now() - startedAt) / 1000
  const cpuBefore = await processCpuSeconds(pid)
  const afterOpening = await processResidentBytes(pid)
  await sleep(Number(values.seconds) * 1000)
  const after = await processResidentBytes(pid)
  const cpuSeconds = (await processCpuSeconds(pid)) - cpuBefore
  const health: number[] = []
  for (let i = 0; i < 50; i++) {
    const asked = performance.now()
    await (await fetch(`${server.url}/health`)).text()
    health.push(performance.now() - asked)
  }
  console.log(describeMachine())
  console.table({
    sockets: count,
    'closed by the server meanwhile': closed,
    'opened in, s': rounded(openSeconds, 1),
    'memory without them, MiB': rounded(before / 2 ** 20, 1),
    'a socket, KiB, after opening': rounded((afterOpening - before) / count / 1024, 1),
    [`a socket, KiB, after ${values.seconds} s`]: rounded((after - before) / count / 1024, 1),
    'CPU while idle, % of a core': rounded((cpuSeconds * 100) / Number(values.seconds), 1),
    'health p50, ms': rounded(quantile(health, 0.5), 1),
    'health p99, ms': rounded(quantile(health, 0.99), 1),
    'opening a session on the last socket, ms': rounded(await ask(sockets.at(-1)!, session), 1),
  })
  for (const socket of [first, ...sockets]) socket.terminate()
} finally {
  await rm(folder, { recursive: true, force: true })
}
