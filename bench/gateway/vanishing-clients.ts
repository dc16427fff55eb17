import { setTimeout as sleep } from 'node:timers/promises'
import type { PetalsChat } from '../../tests/e2e/support/petals-chat.ts'
import type { Finding } from './attacks.ts'
import { readProcess, readUntil } from '../support/process-state.ts'
import { frame, open, openSilentWebSocket } from './raw-client.ts'

const body = JSON.stringify({
  messages: [{ role: 'user', content: 'Count from one to one hundred.' }],
  max_tokens: 200,
  stream: true,
})
const request =
  'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n' +
  `content-length: ${body.length}\r\n\r\n${body}`

/** One client that goes away in its own manner, after `afterMs`. */
type Leave = (url: string, afterMs: number) => Promise<void>

const leavings: readonly Leave[] = [
  async (url, afterMs) => {
    const socket = await open(url)
    socket.write(request)
    await sleep(afterMs)
    socket.destroy()
  },
  async (url, afterMs) => {
    const socket = await open(url)
    socket.write(request)
    await sleep(afterMs)
    socket.resetAndDestroy()
  },
  async (url, afterMs) => {
    const controller = new AbortController()
    const answer = fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: controller.signal,
    }).then((response) => response.text())
    await sleep(afterMs)
    controller.abort()
    await answer.catch(() => {})
  },
  async (url, afterMs) => {
    const socket = await openSilentWebSocket(url)
    socket.write(frame('{"type":"open_inference_session","max_length":256}'))
    socket.write(frame('{"type":"generate","inputs":"Hello","max_new_tokens":1,"stop_sequence":"zzz"}'))
    await sleep(afterMs)
    socket.destroy()
  },
]

/** Clients that leave while they wait, in the prefill, or while tokens come: 8 at a time (G8). */
export async function vanishingClients(
  { url, process: { pid } }: PetalsChat,
  cycles: number,
): Promise<Finding> {
  const before = await readProcess(pid!)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < cycles) {
      const cycle = next++
      await leavings[cycle % leavings.length]!(url, (cycle * 37) % 300)
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  const startedAt = performance.now()
  while ((await leased(url)) > 0 && performance.now() - startedAt < 10_000) await sleep(20)
  const freeAfterMs = Math.round(performance.now() - startedAt)
  const after = await readUntil(pid!, ({ files }) => files <= before.files + 4, 5_000)
  const leasedAfter = await leased(url)
  return {
    attack: `G8: ${cycles} clients that leave`,
    holds: freeAfterMs <= 2_000 && leasedAfter === 0 && after.files <= before.files + 4,
    figures: {
      freeAfterMs,
      leasedAfter,
      grownMiB: after.residentMiB - before.residentMiB,
      filesBefore: before.files,
      filesAfter: after.files,
    },
  }
}

/** Sessions that an answer uses now. */
async function leased(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const lines = metrics.split('\n').filter((line) => /^petals_chat_sessions\{.*state="leased"/.test(line))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
