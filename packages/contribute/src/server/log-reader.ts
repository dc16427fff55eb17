import { stripVTControlCharacters } from 'node:util'
import type { BlockSpan } from '@petals-chat/engine'

/** The meaning of a line of a server's output. */
export type ServerEvent =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'blocks'; readonly blocks: BlockSpan }
  | { readonly kind: 'loaded'; readonly block: number }
  | { readonly kind: 'download'; readonly file: string; readonly percent: number }
  | { readonly kind: 'measuring' }
  | { readonly kind: 'throughput'; readonly tokensPerSecond: number }
  | { readonly kind: 'relayed' }
  | { readonly kind: 'started' }
  | { readonly kind: 'tokens'; readonly prompt: number; readonly generated: number }
  | { readonly kind: 'session'; readonly change: number }

type Reader = (match: RegExpExecArray) => ServerEvent | undefined

/** Log lines of Petals 2.2.0 and hivemind 1.1.12. */
const readers: readonly (readonly [RegExp, Reader])[] = [
  [/^@petals-chat (\{.*\})$/, ([, json]) => readReport(json!)],
  [
    /Running a server on \[(.*)\]/,
    ([, list]) => ({
      kind: 'addresses',
      addresses: [...list!.matchAll(/'([^']+)'/g)].map(([, text]) => text!),
    }),
  ],
  [
    /Announced that blocks range\((\d+), (\d+)\) are joining/,
    ([, start, end]) => ({ kind: 'blocks', blocks: { start: Number(start), end: Number(end) } }),
  ],
  [/Announced that blocks \[([\d, ]+)\] are joining/, ([, list]) => readBlockList(list!)],
  [/Loaded .* block (\d+)$/, ([, block]) => ({ kind: 'loaded', block: Number(block) })],
  [/Measuring network and compute throughput/, () => ({ kind: 'measuring' })],
  [/Reporting throughput: ([\d.]+)/, ([, value]) => ({ kind: 'throughput', tokensPerSecond: Number(value) })],
  [/accessible via relays|connecting to libp2p relays/, () => ({ kind: 'relayed' })],
  [/\[INFO\] Started\b/, () => ({ kind: 'started' })],
  [
    /([\w.-]+\.(?:safetensors|bin|json)): +(\d+)%\|/,
    ([, file, percent]) => ({ kind: 'download', file: file!, percent: Number(percent) }),
  ],
]

/** Reads one line; undefined if it has no meaning here. */
export function readLogLine(text: string): ServerEvent | undefined {
  const line = stripVTControlCharacters(text).trimEnd()
  for (const [pattern, read] of readers) {
    const match = pattern.exec(line)
    if (match) return read(match)
  }
  return undefined
}

function readBlockList(list: string): ServerEvent {
  const blocks = list.split(',').map(Number)
  return { kind: 'blocks', blocks: { start: Math.min(...blocks), end: Math.max(...blocks) + 1 } }
}

/** Reads a line of petals_report.py. */
function readReport(json: string): ServerEvent | undefined {
  try {
    const { session, prompt = 0, generated = 0 } = JSON.parse(json) as Readonly<Record<string, number>>
    return typeof session === 'number'
      ? { kind: 'session', change: session }
      : { kind: 'tokens', prompt: Number(prompt), generated: Number(generated) }
  } catch {
    return undefined
  }
}
