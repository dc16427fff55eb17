// Asks a swarm in a process of its own: once for each message of its parent, which holds what to ask. Answers with the
// outputs, and the memory of this process. Started by ClientProcess.
import { connectSwarm } from '../client.ts'
import type { AskedOfClient, ClientReport } from './client-process.ts'

const mib = 2 ** 20

const ask = async ({
  initialPeers,
  dhtPrefix,
  numBlocks,
  inputs,
  rounds,
}: AskedOfClient): Promise<ClientReport> => {
  const [first, hiddenSize] = [inputs[0]!, inputs[0]!.shape[1]]
  const outputs: number[][] = []
  const peers = new Set<string>()
  await using client = await connectSwarm({ initialPeers: [...initialPeers], updateIntervalMs: 60_000 })
  for (let round = 0; round < rounds; round++) {
    const model = client.openModel({ dhtPrefix, numBlocks, hiddenSize })
    await model.directory.refresh()
    await using session = model.openSession({ maxLength: 64 + first.shape[0] })
    const all: number[] = []
    for (const { shape, data } of inputs)
      all.push(...(await session.step({ shape, data: Float32Array.from(data) })).data)
    outputs.push(all)
    for (const { peer } of session.route) peers.add(peer)
  }
  const { maxRSS } = process.resourceUsage()
  globalThis.gc!()
  return {
    outputs,
    peers: [...peers],
    rssMiB: process.memoryUsage.rss() / mib,
    mostRssMiB: maxRSS / 1024,
  }
}

process.on('message', (asked: AskedOfClient) => {
  void ask(asked).then(
    (report) => process.send!(report),
    (error: unknown) => process.send!({ error: String(error) }),
  )
})
process.once('disconnect', () => process.exit())
