import { blockSpans } from '@petals-chat/contribute'
import type { SwarmModelStatus, SwarmStatus } from '@petals-chat/engine'
import { formatDuration } from '../terminal/format.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { blockStrip } from './block-strip.ts'
import { serverTable } from './server-table.ts'

export interface RenderOptions {
  readonly style: Terminal['style']
}

/** Maximum number of gaps with a command; more would push the rest off the screen. */
const maxCommands = 3

/** Formats the swarm as lines for a terminal. */
export function renderSwarm({ models, problem }: SwarmStatus, options: RenderOptions): readonly string[] {
  const unreachable = problem ?? commonProblem(models)
  if (unreachable !== undefined) return [options.style('red', `✗ ${unreachable}`)]
  if (models.length === 0) return ['No model is registered in this swarm.']
  return models.flatMap((model, index) => [...(index === 0 ? [] : ['']), ...renderModel(model, options)])
}

/** Returns the problem if the whole swarm can't be reached: it is reported once, not for each model. */
function commonProblem(models: readonly SwarmModelStatus[]): string | undefined {
  const [first, ...others] = models
  if (first === undefined || models.some(({ reachable, servers }) => reachable || servers.length > 0))
    return undefined
  return others.every(({ problem }) => problem === first.problem) ? first.problem : undefined
}

function renderModel(model: SwarmModelStatus, options: RenderOptions): readonly string[] {
  const { style } = options
  const title = [style('bold', model.id), ...details(model)].join('   ')
  const problem = model.problem === undefined ? [] : [style('yellow', `! ${model.problem}`)]
  if (model.blocks === 0 || (!model.reachable && model.servers.length === 0)) return [title, ...problem]
  return [
    title,
    ...(model.reachable ? [verdict(model, style)] : []),
    ...problem,
    '',
    ...blockStrip(model.replicas, style).map((line) => `  ${line}`),
    '',
    ...serverTable(model.servers).map((line, index) => `  ${index === 0 ? style('dim', line) : line}`),
    ...(model.reachable ? ['', ...advice(model, options)] : []),
  ]
}

function details({ id, dhtPrefix, blocks, ageMs }: SwarmModelStatus): readonly string[] {
  return [
    ...(dhtPrefix === '' || dhtPrefix === id ? [] : [dhtPrefix]),
    ...(blocks === 0 ? [] : [`${blocks} blocks`]),
    ...(ageMs === undefined ? [] : [`seen ${formatDuration(ageMs / 1000)} ago`]),
  ]
}

function verdict(
  { servable, missingBlocks, bottleneck }: SwarmModelStatus,
  style: Terminal['style'],
): string {
  if (!servable)
    return style('red', `✗ no server for blocks ${formatRuns(missingBlocks)}: the model can't answer`)
  const limit =
    bottleneck === undefined
      ? ''
      : `; bottleneck: block ${bottleneck.block}, ${count(bottleneck.replicas, 'server')}, ${Math.round(bottleneck.throughput)} tokens/s`
  return `${style('green', '✓ every block has a server')}${limit}`
}

function advice({ servable, join = [] }: SwarmModelStatus, { style }: RenderOptions): readonly string[] {
  const commands = join.slice(0, maxCommands).map(({ command }) => command)
  if (commands.length === 0) return []
  const lead = servable ? 'Another server makes it faster and safer:' : 'To fill the gap:'
  return [style('dim', `  ${lead}`), ...commands.map((command) => style('dim', `    ${command}`))]
}

const count = (value: number, word: string): string => `${value} ${word}${value === 1 ? '' : 's'}`

/** `0-4, 7`. */
const formatRuns = (blocks: readonly number[]): string =>
  blockSpans(blocks)
    .map(({ start, end }) => (end - start === 1 ? String(start) : `${start}-${end - 1}`))
    .join(', ')
