// npm run bench:start [-- ROUNDS] [--swarm]
//
// How long the built command takes until it listens: the bundle, and the packages from which it was bundled, in turns. No model
// is loaded. With --swarm, the default model is one of a swarm on loopback, and the time is that until a chat can begin. Wall
// clock and CPU time of the process, medians and quartiles.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '@petals-chat/engine/testing'
import { startSwarm } from '../swarm/swarm.ts'
import { processCpuSeconds } from './support/process-cpu.ts'
import { median, quartiles } from './support/statistics.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { swarm: { type: 'boolean', default: false } },
})
const rounds = Number(positionals[0] ?? 9)
await using swarm = values.swarm
  ? await startSwarm({ model: 'SmolLM2-135M-Instruct', onProgress: console.error })
  : undefined
const models = swarm
  ? [
      ...['--swarm', swarm.initialPeers.join()],
      ...['--model', `petals:${swarm.modelFolder}`, '--dht-prefix', swarm.dhtPrefix],
    ]
  : ['--preload', 'none']
const command = fileURLToPath(new URL('../packages/cli/', import.meta.url))
const dist = new URL('../packages/cli/dist/bin.js', import.meta.url).href
const compileCache = `process.getBuiltinModule('node:module').enableCompileCache()`
const ways = {
  bundle: [path.join(command, 'bin', 'petals-chat.mjs')],
  // The place of a script in the arguments is empty with --eval.
  packages: [
    '--input-type=module',
    '--eval',
    `${compileCache}; await import('${dist}')`,
    '--',
    'petals-chat',
  ],
}

const home = await mkdtemp(path.join(tmpdir(), 'petals-chat-start-'))
const environment = { ...process.env, XDG_DATA_HOME: home, XDG_CACHE_HOME: home, HF_HUB_OFFLINE: '1' }

/** What the command prints then. It is read, since requests that ask again and again would take time from the start. */
const readyLine = swarm ? /✓ .* ready$/m : / is listening on /

async function start(args: readonly string[]): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  const port = await freePort()
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...args, 'serve', '--port', String(port), ...models], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: environment,
  })
  const exited = once(child, 'exit')
  try {
    let printed = ''
    for await (const text of child.stdout.setEncoding('utf8')) {
      printed += text as string
      if (readyLine.test(printed)) break
    }
    if (!readyLine.test(printed)) throw new Error(`The command ended without a model:\n${printed}`)
    const ms = performance.now() - startedAt
    return { ms, cpuMs: (await processCpuSeconds(child.pid!)) * 1000 }
  } finally {
    child.kill('SIGTERM')
    await exited
  }
}

const results = Object.keys(ways).map((name) => ({ name, ms: [] as number[], cpuMs: [] as number[] }))
try {
  // The first start of each fills the compile cache.
  for (let round = -1; round < rounds; round++)
    for (const result of results) {
      const { ms, cpuMs } = await start(ways[result.name as keyof typeof ways])
      if (round < 0) continue
      result.ms.push(ms)
      result.cpuMs.push(cpuMs)
    }
} finally {
  await rm(home, { recursive: true })
}
for (const { name, ms, cpuMs } of results) {
  const [low, high] = quartiles(ms)
  console.log(
    `${name}: ${swarm ? 'a chat can begin' : 'listens'} after ${median(ms).toFixed(0)} ms (${low.toFixed(0)} … ${high.toFixed(0)}), ${median(cpuMs).toFixed(0)} ms of CPU`,
  )
}
