import type { BlockSpan, SwarmJoinCommand, SwarmModelStatus } from '@petals-chat/engine'

/** What a new server needs to know about a model and its swarm. */
export interface JoinTarget {
  /** A repository of the Hub or a folder, as `petals-chat contribute` takes it; undefined if unknown. */
  readonly model: string | undefined
  /** The model's prefix in the DHT; absent if servers derive it from the repository's name. */
  readonly dhtPrefix?: string | undefined
  /** Addresses of the swarm, or the public one. */
  readonly swarm: 'public' | readonly string[]
  /** LoRA adapters that the server must have loaded. */
  readonly adapters?: readonly string[] | undefined
}

/** The placeholder in a command for a model whose files are unknown. */
export const unknownModel = 'MODEL'

/**
 * Returns the command that makes a machine a server of a model, for the page, `GET /api/v1/swarm` and `swarm status`. Its server
 * holds `blocks`, or those that the swarm needs most. `launcher` is the command that starts `petals-chat` there.
 */
export function joinCommand(launcher: string, target: JoinTarget, blocks?: BlockSpan): string {
  const { model, dhtPrefix, swarm, adapters = [] } = target
  const flags: readonly (readonly [string, string] | false)[] = [
    ['--swarm', swarm === 'public' ? 'public' : swarm.join(',')],
    dhtPrefix !== undefined && ['--dht-prefix', dhtPrefix],
    adapters.length > 0 && ['--adapters', adapters.join(',')],
    blocks !== undefined && ['--blocks', `${blocks.start}:${blocks.end}`],
  ]
  const words = flags.flatMap((flag) => (flag === false ? [] : [flag[0], quoteWord(flag[1])]))
  return [launcher, 'contribute', quoteWord(model ?? unknownModel), ...words].join(' ')
}

/** Returns one command for each gap of a model, or, without gaps, one whose server chooses its blocks. */
export function joinCommands(
  launcher: string,
  target: JoinTarget,
  { missingBlocks }: Pick<SwarmModelStatus, 'missingBlocks'>,
): readonly SwarmJoinCommand[] {
  const gaps = blockSpans(missingBlocks)
  if (gaps.length === 0) return [{ command: joinCommand(launcher, target) }]
  return gaps.map((blocks) => ({ blocks, command: joinCommand(launcher, target, blocks) }))
}

/** Returns the runs of consecutive blocks in an ascending list. */
export function blockSpans(blocks: readonly number[]): readonly BlockSpan[] {
  const spans: BlockSpan[] = []
  for (const block of blocks) {
    const last = spans.at(-1)
    if (last?.end === block) spans[spans.length - 1] = { start: last.start, end: block + 1 }
    else spans.push({ start: block, end: block + 1 })
  }
  return spans
}

/**
 * Quotes one word of a command line, for Unix shells and for PowerShell: addresses, paths and names come from the configuration
 * and the swarm, and each must remain one word. In PowerShell, an unquoted comma makes a list, `@` begins a hash table, and
 * typographic quotation marks end a string.
 */
export function quoteWord(word: string): string {
  if (/^[\w%+=:./-][\w@%+=:./-]*$/.test(word)) return word
  if (!/['\u2018-\u201b]/.test(word)) return `'${word}'`
  // Between double quotes, both shells keep an apostrophe, but interpret these characters.
  if (!/["\u201c-\u201e$`\\!]/.test(word)) return `"${word}"`
  return `'${word.replaceAll("'", `'\\''`)}'`
}
