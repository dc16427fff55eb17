// node --conditions=petals-chat-source bench/gateway-faults.ts [--cycles N] [--json FILE]
//
// Attacks a started server with the default model: slow and dead clients, floods of fragments, clients that leave, ten times the load. Checks that
// the server stays within its bounds, and that a request is answered after each attack. Linux only; the built program runs.
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
  options: { cycles: { type: 'string', default: '1000' }, json: { type: 'string' } },
})
const report = values.json ?? path.resolve(import.meta.dirname, '../.cache/reports/gateway-faults.json')

async function isAnswered(url: string): Promise<boolean> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4 }),
  })
  return response.ok
}

const machine = describeMachine()
const findings: Finding[] = []
{
  await using server = await startPetalsChat({ env: await withDefaultModel() })
  const runs = [...attacks, (target: typeof server) => vanishingClients(target, Number(values.cycles))]
  for (const attack of runs) {
    const finding = await attack(server)
    const answered = await isAnswered(server.url)
    findings.push({ ...finding, holds: finding.holds && answered })
    console.error(JSON.stringify(findings.at(-1)))
  }
}
{
  const env = { ...(await withDefaultModel()), PETALS_CHAT_TRUSTED_PROXIES: 'loopback' }
  await using server = await startPetalsChat({ env })
  findings.push(await tenfoldOverload(server))
  console.error(JSON.stringify(findings.at(-1)))
}
const disk = await fullDisk(isAnswered)
if (disk !== undefined) findings.push(disk)
console.log({ ...machine, loadAfter: describeMachine().load })
console.table(findings.map(({ attack, holds, figures }) => ({ attack, holds, ...figures })))
await mkdir(path.dirname(report), { recursive: true })
await writeFile(report, JSON.stringify({ machine, findings }, null, 2))
if (findings.some(({ holds }) => !holds)) process.exitCode = 1
