// node --conditions=petals-chat-source bench/upstream-overhead.ts [ANSWERS]
//
// What the gateway adds to a model of another server: the same answers of a real llama.cpp server, asked for directly and
// through the built program, in turns. Time to the first token, and time per token, as medians and 90th percentiles.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from '@petals-chat/engine/testing'
import { LlamaServer } from '../tests/e2e/support/llama-server.ts'
import { startPetalsChat } from '../tests/e2e/support/petals-chat.ts'

const answers = Number(process.argv[2] ?? 40)
const tokens = 64

interface Figures {
  readonly first: number[]
  readonly each: number[]
}

/** Reads one answer, and notes when its pieces came. */
async function measure(url: string, figures: Figures): Promise<void> {
  const messages = [{ role: 'user', content: 'Tell me a story of a fox.' }]
  const body = { model: 'lab', messages, temperature: 0, max_tokens: tokens, stream: true, ignore_eos: true }
  const startedAt = performance.now()
  const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body) })
  let firstAt: number | undefined
  let lastAt = 0
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    if (!/"content":"[^"]/.test(chunk)) continue
    lastAt = performance.now()
    firstAt ??= lastAt
  }
  if (firstAt === undefined) throw new Error(`No token came from ${url}.`)
  figures.first.push(firstAt - startedAt)
  figures.each.push((lastAt - firstAt) / (tokens - 1))
}

const at = (values: readonly number[], share: number): string =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * share)]!.toFixed(2)

await using server = new LlamaServer(await freePort())
await server.start()
const folder = await mkdtemp(path.join(tmpdir(), 'upstream-overhead-'))
try {
  await writeFile(
    path.join(folder, 'petals-chat.yaml'),
    `models: [{ id: lab, engine: upstream, baseUrl: '${server.url}/v1' }]\n`,
  )
  await using front = await startPetalsChat({ cwd: folder, untilReady: false })
  const ways = { direct: server.url, gateway: front.url }
  const figures: Record<keyof typeof ways, Figures> = {
    direct: { first: [], each: [] },
    gateway: { first: [], each: [] },
  }
  for (let count = -2; count < answers; count++)
    for (const way of ['direct', 'gateway'] as const)
      await measure(ways[way], count < 0 ? { first: [], each: [] } : figures[way])
  for (const [way, { first, each }] of Object.entries(figures))
    console.log(
      `${way}: first token ${at(first, 0.5)} ms (p90 ${at(first, 0.9)}), each token ${at(each, 0.5)} ms (p90 ${at(each, 0.9)})`,
    )
} finally {
  await rm(folder, { recursive: true })
}
