import type { ToolSource } from '@petals-chat/engine'
import { type Check, type CheckResult, ok, warning } from './check.ts'
import { version } from '../version.ts'

/** Checks that the MCP servers of the configuration answer. */
export const toolsCheck: Check = {
  name: 'Tools',
  async run({ config: { tools } }) {
    if (tools.servers.length === 0) return ok('no MCP server is configured')
    const { createToolBox } = await import('@petals-chat/tools')
    await using box = await createToolBox(tools, { version })
    return describeServers((await box.list()).filter(({ builtIn }) => !builtIn))
  },
}

/** Models answer without their tools: what is missing is a warning. */
export function describeServers(servers: readonly ToolSource[]): CheckResult {
  const lost = servers.filter(({ state }) => state !== 'ready')
  const told = servers.flatMap(({ problem }) => (problem === undefined ? [] : [problem])).join('\n')
  if (lost.length > 0) return warning(`MCP servers don't answer: ${namesOf(lost)}`, told)
  const count = servers.reduce((sum, { tools }) => sum + tools.length, 0)
  if (told !== '') return warning(`${namesOf(servers)} answer, but not all of their tools can be used`, told)
  return ok(`${namesOf(servers)}: ${count} ${count === 1 ? 'tool' : 'tools'}`)
}

const namesOf = (servers: readonly ToolSource[]): string => servers.map(({ name }) => name).join(', ')
