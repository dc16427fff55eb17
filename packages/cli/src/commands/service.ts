import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { assertServable } from '../config/check-servable.ts'
import { loadConfig } from '../config/load.ts'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { planService, type ServiceName, type ServicePlan } from '../service/service-plan.ts'

/**
 * Makes a program start by itself for this user, and starts it: the server of the page and the APIs, or `contribute` with its
 * flags. With `--dry-run`, only says how.
 */
export async function installService(context: CommandContext, args: readonly string[]): Promise<void> {
  const { terminal, flags } = context
  const name = nameOf(args)
  const loaded = await loadConfig(context)
  if (name === 'serve') assertServable(loaded)
  const plan = planFor(context, name, commandOf(context, loaded.file, args))
  if (flags['dryRun'] === true) return describePlan(context, plan)
  if (name === 'contribute') await tryContribute(context, commandOf(context, loaded.file, args))
  await mkdir(path.dirname(plan.file), { recursive: true })
  await writeFile(plan.file, plan.content, { encoding: plan.encoding, mode: 0o600 })
  for (const command of plan.beforeInstall) await run(command, context)
  for (const command of plan.install) await runOrFail(command, context)
  terminal.out(`The service is installed and runs: ${plan.file}.`)
  terminal.note(plan.note)
}

/** Stops the service, and removes it. */
export async function uninstallService(context: CommandContext, args: readonly string[]): Promise<void> {
  const plan = planFor(context, nameOf(args))
  if (!existsSync(plan.file)) throw new CommandError('The service is not installed.')
  // A service that does not run can't be stopped, but can be removed.
  for (const command of plan.uninstall) await run(command, context)
  await rm(plan.file)
  for (const command of plan.afterUninstall) await run(command, context)
  context.terminal.out('The service is removed. Its configuration, models and log are kept.')
}

/** Shows what the system says of the service. Resolves to the system's exit code. */
export async function showService(context: CommandContext, args: readonly string[]): Promise<number> {
  const plan = planFor(context, nameOf(args))
  if (!existsSync(plan.file))
    throw new CommandError('The service is not installed: petals-chat service install.')
  const { code, output } = await run(plan.status, context)
  context.terminal.out(output.trimEnd())
  return code
}

/** @throws CommandError for a command that is no service */
function nameOf([first = 'serve', ...others]: readonly string[]): ServiceName {
  if (first === 'contribute' || (first === 'serve' && others.length === 0)) return first
  throw new CommandError(
    `'${first}' can't be a service. The services are serve (the default, without arguments) and contribute: petals-chat service install -- contribute MODEL.`,
    exitCodes.usage,
  )
}

type Words = readonly [string, ...string[]]

function commandOf(
  { workingDirectory }: CommandContext,
  configFile: string | undefined,
  args: readonly string[],
): Words {
  const script = fileURLToPath(new URL('../../bin/petals-chat.mjs', import.meta.url))
  const config = configFile === undefined ? [] : ['--config', path.resolve(workingDirectory, configFile)]
  return [process.execPath, script, ...config, ...(args.length === 0 ? ['serve'] : args)]
}

/** Runs the command up to the point where it would serve. @throws CommandError with what it says is wrong */
async function tryContribute(context: CommandContext, command: Words): Promise<void> {
  const { code, output } = await run([...command, '--dry-run'], context)
  if (code !== 0) throw new CommandError(output.trim().replace(/^petals-chat: /m, ''), code)
}

function planFor(
  { environment, workingDirectory }: CommandContext,
  name: ServiceName,
  command: Words = [process.execPath],
): ServicePlan {
  const plan = planService(
    process.platform,
    { name, command, workingDirectory },
    { home: environment['HOME'] ?? homedir(), userId: userInfo().uid, account: accountOf(environment) },
  )
  if (plan === undefined) throw new CommandError(`Services are not supported on ${process.platform}.`)
  return plan
}

/** A machine without a domain is the domain of its users. */
const accountOf = ({ USERDOMAIN, COMPUTERNAME }: CommandContext['environment']): string =>
  [USERDOMAIN ?? COMPUTERNAME, userInfo().username].filter((part) => part !== undefined).join('\\')

function describePlan({ terminal }: CommandContext, plan: ServicePlan): void {
  terminal.out(`# ${plan.file}\n${plan.content.replace('\uFEFF', '')}`)
  for (const command of [...plan.beforeInstall, ...plan.install]) terminal.out(`# ${command.join(' ')}`)
  terminal.note(plan.note)
}

async function runOrFail(command: readonly [string, ...string[]], context: CommandContext): Promise<void> {
  const { code, output } = await run(command, context)
  if (code !== 0)
    throw new CommandError(`\`${command.join(' ')}\` failed: ${output.trim() || `exit code ${code}`}`)
}

async function run(
  [program, ...args]: readonly [string, ...string[]],
  { environment }: CommandContext,
): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...environment } })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output += data.toString()))
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    return { code: code ?? 1, output }
  } catch (error) {
    return { code: 1, output: `${program} can't be started: ${(error as NodeJS.ErrnoException).code}` }
  }
}
