import { joinCommand, quoteWord } from '@petals-chat/contribute'
import { formatModelSource } from '@petals-chat/engine'
import { defaultModel } from '@petals-chat/hub'
import { launcher } from '../launcher.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { ContributedModel } from './contributed-model.ts'
import { repositoryOfPage } from '../config/hub-page.ts'

/** Interval of status lines where a line can't be redrawn; a line is printed only if it has changed. */
export const statusEveryMs = 60_000

/** A server that has joined its swarm. */
export interface JoinedPlace {
  readonly model: ContributedModel
  readonly settings: {
    readonly swarm: 'public' | 'new' | readonly string[]
    readonly dhtPrefix?: string | undefined
    readonly adapters?: readonly string[] | undefined
  }
  /** Of this server, as multiaddrs. */
  readonly addresses: readonly string[]
  /** Of the whole model. */
  readonly blocks: number
}

/** Tells that the server serves, and in a private swarm how others join it and chat with it. */
export function showWelcome(terminal: Terminal, place: JoinedPlace, statusLine: string): void {
  const { settings, model, addresses, blocks } = place
  terminal.status('')
  terminal.out(`\n${terminal.style('green', '✓')} ${statusLine}`)
  if (settings.swarm === 'public') return terminal.out('Ctrl+C leaves the swarm.')
  const own = fromElsewhere(addresses)
  const others = settings.swarm === 'new' ? own : [...own, ...settings.swarm]
  const target = {
    model: wordOf(model),
    swarm: others,
    dhtPrefix: settings.dhtPrefix,
    adapters: settings.adapters,
  }
  const start = launcher()
  terminal.out(`  Addresses: ${addresses.join(' ')}`)
  terminal.out(`\nAnother machine joins with:\n\n  ${joinCommand(start, target)}\n`)
  terminal.out(
    `Once all ${blocks} blocks are held, chat with it:\n\n  ${chatCommand(start, place, others)}\n`,
  )
  if (model.isGguf && repositoryOfPage(model.spec?.modelCard) === undefined)
    terminal.out(
      'A chat needs the embeddings and the tokenizer in the format of transformers: replace MODEL by the repository or folder that the GGUF was made of.\n',
    )
  terminal.out('Ctrl+C leaves the swarm.')
}

/** Addresses of the machine itself would be wrong on another one. They are kept if the server listens at no others. */
function fromElsewhere(addresses: readonly string[]): readonly string[] {
  const others = addresses.filter((address) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(address))
  return others.length > 0 ? others : addresses
}

/** The model as `contribute` takes it. */
function wordOf({ model, revision, source, isGguf, isLocal }: ContributedModel): string {
  const written = formatModelSource(source)
  if (written === defaultModel.source) return defaultModel.id
  return revision !== undefined || (isGguf && !isLocal) ? written : model
}

/** A chat needs the embeddings and the tokenizer in the format of transformers: those of the model that a GGUF was made of. */
function chatSource({ isGguf, source, spec }: ContributedModel): string {
  if (!isGguf) return formatModelSource(source)
  const repository = repositoryOfPage(spec?.modelCard)
  return repository === undefined ? 'MODEL' : `hf:${repository}`
}

function chatCommand(start: string, { settings, model }: JoinedPlace, addresses: readonly string[]): string {
  const prefix = settings.dhtPrefix === undefined ? [] : ['--dht-prefix', settings.dhtPrefix]
  const words = ['--swarm', addresses.join(','), '--model', `petals:${chatSource(model)}`, ...prefix]
  return [start, ...words.map(quoteWord)].join(' ')
}
