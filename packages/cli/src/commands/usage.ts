import { AccessError, dayOf, type KeyStore, type UsageEntry } from '@petals-chat/access'
import { textFlag } from '../access/key-flags.ts'
import { keyFileOf, openKeys } from '../access/open-keys.ts'
import { loadConfig } from '../config/load.ts'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { formatTable } from '../terminal/format.ts'

const DEFAULT_DAYS = 30
const MAX_DAYS = 36_500
const DAY_MS = 24 * 60 * 60 * 1000

/** Shows what callers have used: a line for each caller and model, or every day as JSON. */
export async function showUsage(context: CommandContext): Promise<void> {
  const { terminal, flags } = context
  const days = daysOf(textFlag(flags, 'days'))
  const loaded = await loadConfig(context)
  using opened = await openKeys(loaded)
  const key = textFlag(flags, 'key')
  const caller = key === undefined ? undefined : `key:${keyNamed(opened.keys, key)}`
  const [from, to] = [dayOf(Date.now() - (days - 1) * DAY_MS), dayOf(Date.now())]
  const entries = opened.usage.read({ from, to, caller })
  if (flags['json'] === true) return terminal.out(JSON.stringify(entries, undefined, 2))
  if (entries.length === 0)
    return terminal.note(`Nothing was used from ${from} to ${to}, as ${keyFileOf(loaded)} says.`)
  const names = new Map(opened.keys.list().map(({ id, name }) => [`key:${id}`, name]))
  const header = ['CALLER', 'NAME', 'MODEL', 'REQUESTS', 'TOKENS IN', 'CACHED', 'TOKENS OUT', 'SWARM SECONDS']
  const rows = [...Map.groupBy(entries, ({ caller, model }) => JSON.stringify([caller, model])).values()]
  for (const line of formatTable([header, ...rows.map((group) => rowOf(group, names))])) terminal.out(line)
}

function rowOf(group: readonly UsageEntry[], names: ReadonlyMap<string, string>): readonly string[] {
  const [{ caller, model }] = group as readonly [UsageEntry]
  const sum = (amountOf: (entry: UsageEntry) => number) =>
    group.reduce((total, entry) => total + amountOf(entry), 0)
  return [
    caller,
    names.get(caller) ?? '',
    model,
    String(sum(({ requests }) => requests)),
    String(sum(({ promptTokens }) => promptTokens)),
    String(sum(({ cachedTokens }) => cachedTokens)),
    String(sum(({ completionTokens }) => completionTokens)),
    (sum(({ swarmMs }) => swarmMs) / 1000).toFixed(1),
  ]
}

function keyNamed(keys: KeyStore, name: string): string {
  try {
    return keys.find(name).id
  } catch (error) {
    if (error instanceof AccessError) throw new CommandError(error.message)
    throw error
  }
}

function daysOf(text: string | undefined): number {
  const days = Number(text ?? DEFAULT_DAYS)
  if (Number.isInteger(days) && days >= 1 && days <= MAX_DAYS) return days
  throw new CommandError(
    `--days must be a whole number from 1 to ${MAX_DAYS}, not '${text}'.`,
    exitCodes.usage,
  )
}
