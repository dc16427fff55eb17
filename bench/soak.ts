// node --conditions=petals-chat-source bench/soak.ts [--minutes 60] [--chats 8] [--seed N] [--report FILE]
//
// Runs the built gateway on a real swarm, with chats, calls of other clients, servers that die or hang, and keys that are
// made and revoked, all at once. Every answer is compared with the undisturbed one. Keeps a report, and fails if an answer
// was wrong, a call failed, or memory or descriptors grew.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { defaultModel } from '@petals-chat/hub'
import { seededBits } from '../packages/petals/src/sampling/random.ts'
import { startSwarm } from '../swarm/swarm.ts'
import { startPetalsChat, withDefaultModel } from '../tests/e2e/support/petals-chat.ts'
import { runApiLoad } from './soak/api-load.ts'
import { runChats, undisturbedAnswers, type SoakTarget } from './soak/chats.ts'
import { runChurn } from './soak/churn.ts'
import { KeyCommands, runKeyChurn } from './soak/key-churn.ts'
import { soakReport } from './soak/report.ts'
import { collectSamples, sampleOf } from './soak/samples.ts'
import { Tally } from './soak/tally.ts'
import { describeMachine } from './support/machine.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    chats: { type: 'string', default: '8' },
    tokens: { type: 'string', default: '48' },
    'fault-seconds': { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    report: { type: 'string', default: 'bench/reports/soak.json' },
  },
})
const minutes = Number(values.minutes)
const bits = seededBits(Number(values.seed))
const local = 'local'
const model = 'stories'

await using resources = new AsyncDisposableStack()
const folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-soak-'))
resources.defer(() => rm(folder, { recursive: true, force: true }))
const swarm = resources.use(
  await startSwarm({ model: 'stories15M', replicas: 3, onProgress: (text) => console.error(text) }),
)
const environment = await withDefaultModel()
const config = path.join(folder, 'petals-chat.yaml')
await writeFile(config, configText())
const keys = new KeyCommands(config, environment)
const key = await keys.create('soak', 'models,openai,legacy,swarm,metrics')
const gateway = resources.use(await startPetalsChat({ args: ['--config', config], env: environment }))
const target: SoakTarget = { url: gateway.url, key }
const pid = gateway.process.pid!

console.error('The answers without faults …')
const tally = new Tally()
const newTokens = Number(values.tokens)
const calm = new AbortController()
const expected = await undisturbedAnswers({ target, model, newTokens, signal: calm.signal, tally })
const before = await sampleOf(pid, target, 0)

console.error(`${minutes} minutes of load …`)
const end = AbortSignal.timeout(minutes * 60_000)
const progress = setInterval(() => console.error(JSON.stringify(tally.counts)), 60_000)
const [samples] = await Promise.all([
  collectSamples(pid, target, end),
  runChats({ target, model, newTokens, chats: Number(values.chats), signal: end, tally }, expected),
  runChurn({
    swarm,
    pauseMs: Number(values['fault-seconds']) * 1000,
    random: () => bits() / 2 ** 32,
    signal: end,
    tally,
  }),
  runApiLoad(target, { local, signal: end, tally }),
  runKeyChurn(target, { keys, local, signal: end, tally }),
])
clearInterval(progress)
// Sockets that were closed just now, and what the engine still gives back.
await new Promise((resolve) => setTimeout(resolve, 10_000))
const after = await sampleOf(pid, target, minutes * 60)

const report = soakReport({
  machine: describeMachine(),
  minutes,
  chats: Number(values.chats),
  tally,
  samples,
  before,
  after,
})
await mkdir(path.dirname(values.report), { recursive: true })
await writeFile(values.report, JSON.stringify(report, null, 2) + '\n')
console.table(report.summary)
for (const failure of report.failures) console.error(`FAILED: ${failure}`)
if (report.failures.length > 0) process.exitCode = 1

function configText(): string {
  return [
    'models:',
    `  - { id: ${model}, engine: petals, source: ${JSON.stringify(swarm.modelFolder)}, dhtPrefix: ${swarm.dhtPrefix} }`,
    `  - { id: ${local}, engine: llama, source: ${JSON.stringify(defaultModel.source)}, sha256: ${defaultModel.sha256} }`,
    'server:',
    `  access: { file: ${JSON.stringify(path.join(folder, 'access.sqlite'))} }`,
    'swarm:',
    `  initialPeers: ${JSON.stringify(swarm.initialPeers)}`,
    '',
  ].join('\n')
}
