// node --conditions=petals-chat-source bench/gateway-faults.ts [--cycles N] [--only WORDS] [--json FILE]
//
// Attacks a started server with the default model: slow and dead clients, floods of fragments, clients that leave, ten times the load. Checks that
// the server stays within its bounds, and that a request is answered after each attack. `--only overload`, `--only disk`, or
// words of an attack's name run these alone. Linux only; the built program runs.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { startPetalsChat, withDefaultModel } from '../tests/e2e/support/petals-chat.ts'
import { attacks, type Finding } from './gateway/attacks.ts'
import { fullDisk } from './gateway/full-disk.ts'
import { tenfoldOverload } from './gateway/overload.ts'
import { vanishingClients } from './gateway/vanishing-clients.ts'
import { describeMachine } from './support/machine.ts'

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '1000' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
})
const file = values.json ?? path.resolve(import.meta.dirname, '../.cache/reports/gateway-faults.json')

async function isAnswered(url: string): Promise<boolean> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4 }),
  })
  return response.ok
}

const isAsked = (name: string) => values.only === undefined || name.includes(values.only)

const machine = describeMachine()
const findings: Finding[] = []

function report(finding: Finding): void {
  findings.push(finding)
  console.error(JSON.stringify(finding))
}

const asked = attacks.filter(({ name }) => isAsked(name))
if (isAsked('vanishing clients'))
  asked.push({ name: 'vanishing clients', run: (server) => vanishingClients(server, Number(values.cycles)) })
if (asked.length > 0) {
  await using server = await startPetalsChat({ env: await withDefaultModel() })
  for (const { run } of asked) {
    const finding = await run(server)
    const answered = await isAnswered(server.url)
    report({ ...finding, holds: finding.holds && answered })
  }
}
if (isAsked('overload')) {
  const env = { ...(await withDefaultModel()), PETALS_CHAT_TRUSTED_PROXIES: 'loopback' }
  await using server = await startPetalsChat({ env })
  report(await tenfoldOverload(server))
}
const disk = isAsked('disk') ? await fullDisk(isAnswered) : undefined
if (disk !== undefined) report(disk)
console.log({ ...machine, loadAfter: describeMachine().load })
console.table(findings.map(({ attack, holds, figures }) => ({ attack, holds, ...figures })))
await mkdir(path.dirname(file), { recursive: true })
await writeFile(file, JSON.stringify({ machine, findings }, null, 2))
if (findings.some(({ holds }) => !holds)) process.exitCode = 1
