import type { ToolClient, ToolInfo, ToolLimits, ToolResult } from '../api/tools.ts'

/** What a scripted tool does with its arguments. */
export type ScriptedTool = Partial<Omit<ToolInfo, 'name'>> & {
  readonly run: (args: Readonly<Record<string, unknown>>, signal: AbortSignal) => Promise<ToolResult>
}

export interface ScriptedTools extends ToolClient {
  /** The calls that were sent, in order. */
  readonly sent: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> }[]
}

/** A server with tools that do what a test wants. */
export function scriptedTools(
  tools: Readonly<Record<string, ScriptedTool>>,
  limits: Partial<ToolLimits> = {},
): ScriptedTools {
  const sent: ScriptedTools['sent'] = []
  const infos = Object.entries(tools).map(([name, { run: _run, ...tool }]): ToolInfo => ({
    name,
    title: name,
    description: `The tool ${name}.`,
    inputSchema: { type: 'object' },
    readOnly: true,
    version: 'v1',
    ...tool,
  }))
  return {
    sent,
    list: () =>
      Promise.resolve({
        servers: [
          { name: 'test', title: 'Test', builtIn: false, state: 'ready', problem: undefined, tools: infos },
        ],
        limits: { maxRounds: 4, timeoutSeconds: 5, maxResultChars: 1000, ...limits },
      }),
    modelsWithoutTools: () => Promise.resolve(new Set()),
    call(call, signal) {
      sent.push({ name: call.name, arguments: call.arguments })
      return tools[call.name]!.run(call.arguments, signal)
    },
  }
}

export const returns =
  (text: string): ScriptedTool['run'] =>
  async () => ({ text, isError: false, truncated: false })
