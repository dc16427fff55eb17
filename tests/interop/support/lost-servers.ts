import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { petalsChat } from '../../e2e/support/petals-chat.ts'
import { testFallback } from './fallback.ts'
import { model, newTokens, prompt, type SwarmProcess } from './swarm-process.ts'

const waitingChats = 8

/** Polls as often as the page does; returns after how many seconds it was so. */
async function secondsUntil(isSo: () => Promise<boolean>): Promise<string> {
  const startedAt = performance.now()
  await expect.poll(isSo, { timeout: 300_000, interval: 250 }).toBe(true)
  return ((performance.now() - startedAt) / 1000).toFixed(1)
}

/** Declares tests that kill the servers of a swarm that runs, and are therefore the last ones. */
export function testLostServers(running: () => SwarmProcess): void {
  describe('a swarm that loses servers', () => {
    const kill = async (index: number): Promise<void> => {
      running().swarm.servers[index]!.signal('SIGKILL')
      await running().swarm.servers[index]!.exited
    }

    it('is shown without them, and answers continue', async () => {
      const [first] = running().swarm.servers
      await kill(0)
      await expect
        .poll(async () => (await running().readSwarm()).models[0], { timeout: 300_000, interval: 1000 })
        .toMatchObject({
          replicas: [1, 1, 1, 2, 2, 2],
          servable: true,
          bottleneck: { block: 0, replicas: 1 },
        })
      const status = (await running().readSwarm()).models[0]!
      expect(status.servers.find(({ peer }) => peer === first!.peerId)).toMatchObject({ rttMs: null })

      const client = new OpenAI({ baseURL: `${running().server.url}/v1`, apiKey: 'unused' })
      const answer = await client.completions.create({ model, prompt, temperature: 0, max_tokens: newTokens })
      expect(answer.choices[0]!.text).toBe(running().expected)
    })

    it('names the blocks that no server holds any more, and the command to run', async () => {
      await kill(2)
      await expect
        .poll(async () => (await running().readSwarm()).models[0], { timeout: 300_000, interval: 1000 })
        .toMatchObject({ servable: false, missingBlocks: [0, 1, 2] })
      expect(await running().readModel()).toMatchObject({
        state: 'degraded',
        state_detail: expect.stringContaining('blocks 0-2 do not answer') as string,
      })
      // The addresses of the others are known even though the first initial peer is gone.
      const [, ...others] = running().swarm.servers
      const peers = others.map(({ multiaddr }) => multiaddr).join(',')
      const shown = await petalsChat(['swarm', 'status', '--swarm', peers, ...running().args.slice(2)], {
        env: running().environment,
      })
      expect(shown.code).toBe(1)
      expect(shown.stdout).toContain("✗ no server for blocks 0-2: the model can't answer")
      expect(shown.stdout).toMatch(/contribute .*--blocks 0:3/)
    })

    testFallback(running)

    it(`shows that all servers are gone and that they are back, and then serves ${waitingChats} chats that have waited`, async () => {
      const client = new OpenAI({ baseURL: `${running().server.url}/v1`, apiKey: 'unused', maxRetries: 0 })
      const ask = async (): Promise<string> => {
        const request = { model, prompt, temperature: 0, max_tokens: newTokens } as const
        return (await client.completions.create(request)).choices[0]!.text
      }
      const answers = Promise.all(Array.from({ length: waitingChats }, ask))
      answers.catch(() => {})
      await Promise.all([kill(1), kill(3)])
      const gone = await secondsUntil(
        async () => (await running().readSwarm()).models[0]!.reachable === false,
      )

      // The first server is the only initial peer: it comes back with its address and its peer id, as after a reboot.
      const [first, second] = running().swarm.servers
      for (const { start, end, port, name } of [first!, second!])
        await running().swarm.add({ start, end, port, identityOf: name })
      const back = await secondsUntil(
        async () =>
          (await running().readSwarm()).models[0]!.servable &&
          (await running().readModel()).state === 'ready',
      )
      const served = performance.now()
      expect(await answers).toEqual(new Array(waitingChats).fill(running().expected))
      const seconds = ((performance.now() - served) / 1000).toFixed(1)
      console.log(
        `All servers: seen as gone after ${gone} s, as back after ${back} s, answers complete ${seconds} s later`,
      )
    })
  })
}
