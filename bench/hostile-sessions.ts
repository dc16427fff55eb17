// npm run bench:hostile -- [--sessions 20000] [--peers 8]
//
// A server of packages/blocks that hostile peers attack with bad tensors, endless messages, wrong positions and sessions that they
// open and misuse, while an honest session goes on: its steps, and the memory of both processes after each attack.
import { parseArgs } from 'node:util'
import { runHostilePeers } from '../packages/blocks/src/testing/hostile-run.ts'
import { describeMachine } from './support/machine.ts'

const { values: flags } = parseArgs({
  options: {
    sessions: { type: 'string', default: '20000' },
    peers: { type: 'string', default: '8' },
  },
})

console.log(describeMachine())
console.log(
  '| attack | s | server, MiB | of it live | engine, MiB | streams | sessions | honest steps | longest, ms |',
)
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
const report = await runHostilePeers({
  // As on a machine with 2 GB.
  settings: { cacheTokens: 4096, requestMemoryBytes: 256 * 2 ** 20 },
  peers: Number(flags.peers),
  sessions: Number(flags.sessions),
  onPhase: ({ name, seconds, memory, liveMiB, load, honestSteps, honestWorstMs }) => {
    const cells = [
      name,
      seconds.toFixed(1),
      memory.server,
      liveMiB,
      memory.engine,
      load.streams,
      load.sessions,
      honestSteps,
      Math.round(honestWorstMs),
    ]
    console.log(`| ${cells.join(' | ')} |`)
  },
})
console.log(JSON.stringify(report))
