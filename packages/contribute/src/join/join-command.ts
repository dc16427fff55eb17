import type { BlockSpan, SwarmJoinCommand, SwarmModelStatus } from '@petals-chat/engine'

/** What a new server has to know of a model and its swarm. */
export interface JoinTarget {
  /** Repository of the Hub or folder, as `petals-chat contribute` takes it; undefined if it is not known here. */
  readonly model: string | undefined
  /** What the swarm calls the model; left out where servers derive the same from the repository's name. */
  readonly dhtPrefix?: string | undefined
  /** Addresses of the swarm, or the public one. */
  readonly swarm: 'public' | readonly string[]
  /** LoRA adapters that the server must have loaded. */
  readonly adapters?: readonly string[] | undefined
}

/** Stands in a command for a model whose files are not known here. */
export const unknownModel = 'MODEL'

/**
 * The command that makes a machine a server of a model: for the page, `GET /api/v1/swarm` and `swarm status`. Its server
 * takes `blocks`, or those that the swarm needs most. `launcher` is how `petals-chat` is started there.
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

/** One command for each gap of a model, or one whose server chooses its blocks. */
export function joinCommands(
  launcher: string,
  target: JoinTarget,
  { missingBlocks }: Pick<SwarmModelStatus, 'missingBlocks'>,
): readonly SwarmJoinCommand[] {
  const gaps = blockSpans(missingBlocks)
  if (gaps.length === 0) return [{ command: joinCommand(launcher, target) }]
  return gaps.map((blocks) => ({ blocks, command: joinCommand(launcher, target, blocks) }))
}

/** Runs of neighbours in an ascending list of blocks. */
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
 * One word of a command line, for a shell of Unix and for PowerShell alike: addresses, paths and names come from
 * configuration and swarm, and must stay one word each. A comma or `@` alone would make a list or a hash table in
 * PowerShell, which also ends texts at typographic quotation marks.
 */
export function quoteWord(word: string): string {
  if (/^[\w%+=:./-][\w@%+=:./-]*$/.test(word)) return word
  if (!/['\u2018-\u201b]/.test(word)) return `'${word}'`
  // Between double quotes both shells leave an apostrophe alone, but not these.
  if (!/["\u201c-\u201e$`\\!]/.test(word)) return `"${word}"`
  return `'${word.replaceAll("'", `'\\''`)}'`
}
