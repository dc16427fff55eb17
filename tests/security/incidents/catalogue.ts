import { readFileSync } from 'node:fs'
import type { Incident } from '../support/incident.ts'
import { hostIncidents } from './hosts.incidents.ts'
import { httpIncidents } from './http.incidents.ts'
import { keyIncidents } from './keys.incidents.ts'
import { modelIncidents } from './models.incidents.ts'
import { pageIncidents } from './page.incidents.ts'
import { pathIncidents } from './paths.incidents.ts'
import { referenceIncidents } from './references.incidents.ts'
import { requestIncidents } from './requests.incidents.ts'
import { secretIncidents } from './secrets.incidents.ts'
import { supplyIncidents } from './supply.incidents.ts'
import { swarmIncidents } from './swarm.incidents.ts'
import { userIncidents } from './users.incidents.ts'

/** The incidents of each test file. */
export const catalogue: Readonly<Record<string, Readonly<Record<string, Incident>>>> = {
  hosts: hostIncidents,
  http: httpIncidents,
  keys: keyIncidents,
  models: modelIncidents,
  page: pageIncidents,
  paths: pathIncidents,
  references: referenceIncidents,
  requests: requestIncidents,
  secrets: secretIncidents,
  supply: supplyIncidents,
  swarm: swarmIncidents,
  users: userIncidents,
}

const page = new URL('./README.md', import.meta.url)
const marks = { begin: '<!-- incidents -->', end: '<!-- end of incidents -->' }

/** The page with the table of all incidents, as it is and as it should be. */
export function incidentPage(): { readonly path: URL; readonly text: string; readonly expected: string } {
  const text = readFileSync(page, 'utf8')
  const [before] = text.split(marks.begin)
  const [, after] = text.split(marks.end)
  return { path: page, text, expected: `${before}${marks.begin}\n\n${table()}\n\n${marks.end}${after}` }
}

function table(): string {
  const rows = Object.entries(catalogue).flatMap(([file, incidents]) =>
    Object.entries(incidents).map(
      ([id, { product, dated, happened, holds }]) =>
        `| ${dated} | ${escapeCell(id)} | ${escapeCell(product)} | ${escapeCell(happened)} | ${escapeCell(holds)} | [${file}](${file}.test.ts) |`,
    ),
  )
  const sorted = rows.toSorted().toReversed()
  return [
    '| date | incident | program | what happened | what holds here | case |',
    '| - | - | - | - | - | - |',
    ...sorted,
  ].join('\n')
}

/** `_` and `|` mean something in Markdown, `<` begins HTML. */
const escapeCell = (text: string): string => text.replace(/[_|<*]/g, '\\$&')
