import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface ToolOptions {
  /** Beside the variables of this process. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs a program whose output goes to the terminal. @throws Error if it fails. */
export async function runTool(
  program: string,
  args: readonly string[],
  { env = {}, cwd }: ToolOptions = {},
): Promise<void> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, cwd, stdio: ['ignore', 2, 2] })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${program} ${args.slice(0, 4).join(' ')} … ended with code ${code}.`)
}
