import { loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problem.ts'
import type { CommandContext } from '../context.ts'
import { runChecks, type Check, type CheckResult } from '../doctor/check.ts'
import { checkLoaded } from '../doctor/config-check.ts'
import { gpuCheck, processorCheck } from '../doctor/engine-checks.ts'
import { cacheCheck, hubCheck, pipCheck, tokenCheck } from '../doctor/hub-checks.ts'
import { kernelsCheck } from '../doctor/kernels-check.ts'
import { memoryCheck, nodeCheck } from '../doctor/machine-checks.ts'
import { draftsCheck } from '../doctor/drafts-check.ts'
import { modelsCheck } from '../doctor/models-check.ts'
import { portCheck, webCheck } from '../doctor/server-checks.ts'
import { swarmCheck } from '../doctor/swarm-check.ts'
import { toolsCheck } from '../doctor/tools-check.ts'
import { upstreamCheck } from '../doctor/upstream-check.ts'
import { exitCodes } from '../exit-codes.ts'
import { createStore } from '../runtime.ts'
import type { Terminal } from '../terminal/terminal.ts'

const checks: readonly Check[] = [
  nodeCheck,
  processorCheck,
  kernelsCheck,
  memoryCheck,
  gpuCheck,
  cacheCheck,
  hubCheck,
  tokenCheck,
  pipCheck,
  modelsCheck,
  draftsCheck,
  swarmCheck,
  upstreamCheck,
  toolsCheck,
  portCheck,
  webCheck,
]

/** Checks this machine and says how to fix problems. Exit code 1 if something must be fixed. */
export async function doctor(context: CommandContext): Promise<number> {
  const { terminal, environment, workingDirectory } = context
  const loaded = await loadConfig(context).catch((error: unknown) => {
    if (error instanceof ConfigError) return error
    throw error
  })
  // The machine is checked even if the file has mistakes.
  const usable =
    loaded instanceof ConfigError
      ? await loadConfig({ environment: {}, flags: {}, workingDirectory, ignoreFile: true })
      : loaded
  terminal.status('Checking this machine …')
  const { config, baseFolder } = usable
  const results = await runChecks(checks, { config, baseFolder, store: createStore(usable), environment })
  terminal.status('')

  const named = [
    { name: 'Configuration', result: checkLoaded(loaded) },
    ...checks.map(({ name }, index) => ({ name, result: results[index]! })),
  ]
  const width = Math.max(...named.map(({ name }) => name.length))
  for (const { name, result } of named) print(terminal, name.padEnd(width), result)
  return summarize(
    terminal,
    named.map(({ result }) => result),
  )
}

const symbols = {
  ok: ['✓', 'green'],
  warning: ['!', 'yellow'],
  failure: ['✗', 'red'],
} as const

function print(terminal: Terminal, name: string, { status, message, advice }: CheckResult): void {
  const [symbol, color] = symbols[status]
  terminal.out(`${terminal.style(color, symbol)} ${name}  ${message}`)
  const indent = ' '.repeat(name.length + 4)
  for (const line of advice?.split('\n') ?? []) terminal.out(terminal.style('dim', `${indent}→ ${line}`))
}

function summarize(terminal: Terminal, results: readonly CheckResult[]): number {
  const failures = results.filter(({ status }) => status === 'failure').length
  terminal.out()
  if (failures === 0) {
    terminal.out('Petals Chat has everything that it needs.')
    return exitCodes.ok
  }
  terminal.out(`${failures === 1 ? 'One problem' : `${failures} problems`} must be fixed (✗).`)
  return exitCodes.failure
}
