// node --conditions=petals-chat-source bench/old-incidents.ts [INCIDENT …]
//
// Repeats the cases of tests/security/incidents against the versions that had the fault, where a registry still has them: a
// case that does not bite there would show nothing here. Downloads about 300 MB into .cache/old-versions, and needs the registry.
import { oldCases } from './support/old-cases.ts'
import { installOld } from './support/old-package.ts'

const wanted = process.argv.slice(2)
const rows: { incident: string; version: string; bites: string; seen: string }[] = []
for (const { incident, packages, run } of oldCases) {
  if (wanted.length > 0 && !wanted.includes(incident)) continue
  const outcome = await attempt(packages, run)
  rows.push({ incident, version: packages[0]!, ...outcome })
  console.error(`${incident} ${packages[0]!}: ${outcome.bites}, ${outcome.seen}`)
}
console.log(
  [
    '| incident | version | bites | seen |',
    '| - | - | - | - |',
    ...rows.map((row) => `| ${Object.values(row).join(' | ')} |`),
  ].join('\n'),
)
if (rows.some(({ bites }) => bites === 'no')) process.exitCode = 1

async function attempt(
  packages: readonly string[],
  run: (typeof oldCases)[number]['run'],
): Promise<{ readonly bites: string; readonly seen: string }> {
  try {
    const { bites, seen } = await run(installOld(packages))
    return { bites: bites ? 'yes' : 'no', seen }
  } catch (error) {
    return { bites: 'not run', seen: (error as Error).message.replaceAll('\n', ' ').slice(0, 160) }
  }
}
