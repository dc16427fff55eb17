import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { type Call, calls } from './calls.ts'
import { type ClientEntry, clients } from './registry.ts'

const page = fileURLToPath(new URL('../../docs/clients.md', import.meta.url))
const entries: readonly ClientEntry[] = Object.values(clients)
const columns = Object.keys(calls) as Call[]

/** The tables that are made, by the name in their marks. */
const tables: Readonly<Record<string, () => readonly (readonly string[])[]>> = {
  settings: () => [
    ['client', 'settings'],
    ...entries.flatMap(({ name, settings }) => (settings ? [[name, settings]] : [])),
  ],
  calls: () => [['client', ...columns.map((call) => calls[call].title), 'held by'], ...entries.map(callRow)],
  meanings: () => [
    ['call', 'the client …'],
    ...columns.map((call) => [calls[call].title, calls[call].meaning]),
  ],
}

function callRow({ name, heldBy, byHand }: ClientEntry): readonly string[] {
  const held = new Set(Object.values(heldBy).flat())
  const tried = new Set(byHand?.calls)
  const cell = (call: Call) => (held.has(call) ? '✓' : tried.has(call) ? '○' : '')
  const files = Object.keys(heldBy).map((file) => `[${path.posix.basename(file)}](../${file})`)
  const hand = byHand ? [`${byHand.version} by hand, ${byHand.date}`] : []
  return [name, ...columns.map(cell), [...files, ...hand].join(', ')]
}

const rowText = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

function tableText(name: string): string {
  const [head, ...rows] = tables[name]!()
  return [head!, head!.map(() => '---'), ...rows].map(rowText).join('\n')
}

/** `docs/clients.md` with its tables made anew, and as it is. @throws Error if the page has no place for one of them */
export async function clientsPage() {
  const current = await readFile(page, 'utf8')
  let text = current
  for (const name of Object.keys(tables)) {
    const place = new RegExp(`(<!-- made: ${name} -->)[^]*?(<!-- end -->)`)
    if (!place.test(text)) throw new Error(`docs/clients.md has no place for the table '${name}'.`)
    text = text.replace(place, (_, begin, end) => `${begin}\n\n${tableText(name)}\n\n${end}`)
  }
  const made = await format(text, { ...(await resolveConfig(page)), parser: 'markdown' })
  return { page, current, made }
}
