import { once } from 'node:events'
import { createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { splitWords } from './shell-words.ts'
import { swarmModels } from './models.ts'
import type { SwarmOptions } from './swarm.ts'

export type SwarmCommand = 'swarm' | 'demo'

export interface SwarmFlags extends SwarmOptions {
  readonly port: number
  /** The port of the chat page, in the demo. */
  readonly chatPort: number
}

const [defaultModel] = swarmModels.map(({ name }) => name)
const defaultPort = 31337
const defaultChatPort = 5000

const flagLines = `  --model NAME             ${swarmModels.map(({ name }) => name).join(', ')} (default: the first)
  --blocks-per-server N    blocks that each server holds (default: half of the model)
  --replicas N             servers for each span (default 1)
  --port N                 TCP port of the first server (default ${defaultPort}); the others use free ports
  --cache-tokens N         KV cache of each block in tokens (default 16384)`

/** Flags of Python servers. */
const pythonFlagLines = `
  --dtype T                float32 or bfloat16 (default float32)
  --round-trip MS          put a relay in front of every server that adds this round trip
  --behind-nat             make all servers but the first reachable only through its circuit relay
  --rewinding              servers that can rewind, as those of Petals' main branch can
  --server-args "…"        further arguments of Petals' run_server, split as by a shell`
const pythonFlags = ['dtype', 'round-trip', 'behind-nat', 'rewinding', 'server-args'] as const
const helpLine = '  --help                   print this help'

const chatPortLine = `  --chat-port N            port of the chat page (default ${defaultChatPort}); 0 selects a free port`

/** A test runs each example. */
const examples: Readonly<Record<SwarmCommand, string>> = {
  demo: `  npm run demo -- --chat-port 8080`,
  swarm: `  npm run swarm -- --model stories15M --server-args "--session_timeout 60"
  npm run swarm -- --model stories15M --round-trip 50`,
}

const summaries: Readonly<Record<SwarmCommand, string>> = {
  demo: `Starts a private swarm of two servers on this machine, and the chat page with it. No data leaves this machine.`,
  swarm: `Starts a private swarm of Petals' Python servers on this machine, and prints how to chat with it.
The first run sets up Python for the servers.`,
}

/** Returns the help text of `npm run swarm` or `npm run demo`. */
export const helpOf = (command: SwarmCommand): string => `Usage: npm run ${command} [-- FLAGS]

${summaries[command]}

Flags:
${command === 'demo' ? `${chatPortLine}\n${flagLines}` : `${flagLines}${pythonFlagLines}`}
${helpLine}

Examples:
${examples[command]}
`

function number(name: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value
  const limit = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `from ${least} to ${most}`
  throw new Error(`--${name} takes a whole number, ${limit}, not '${text}'.`)
}
const count = (name: string, text: string): number => number(name, text, 1)

/** Joins `--server-args` and its value by `=`: otherwise `parseArgs` takes a value that begins with a dash as an option. */
function joinServerArgs(args: readonly string[]): string[] {
  const at = args.indexOf('--server-args')
  const value = args[at + 1]
  if (at === -1 || value === undefined) return [...args]
  return [...args.slice(0, at), `--server-args=${value}`, ...joinServerArgs(args.slice(at + 2))]
}

/** Parses the flags of a command line; undefined if it requests help. @throws Error for an invalid flag */
export function parseSwarmFlags(command: SwarmCommand, args: readonly string[]): SwarmFlags | undefined {
  const { values } = readFlags(command, args)
  if (values.help) return undefined
  const { dtype } = values
  if (dtype !== 'float32' && dtype !== 'bfloat16') {
    throw new Error(`--dtype takes float32 or bfloat16, not '${dtype}'.`)
  }
  if (command === 'swarm' && values['chat-port'] !== undefined)
    throw new Error('--chat-port is a flag of `npm run demo`; `npm run swarm` does not start a chat page.')
  if (command === 'demo') refusePythonFlags(values)
  const blocks = values['blocks-per-server']
  const roundTrip = values['round-trip']
  return {
    model: values.model,
    ...(blocks === undefined ? {} : { blocksPerServer: count('blocks-per-server', blocks) }),
    ...(roundTrip === undefined ? {} : { relay: { latencyMs: count('round-trip', roundTrip) / 2 } }),
    replicas: count('replicas', values.replicas),
    port: number('port', values.port, 1, 65_535),
    chatPort: number('chat-port', values['chat-port'] ?? String(defaultChatPort), 0, 65_535),
    cacheTokens: count('cache-tokens', values['cache-tokens']),
    dtype,
    behindNat: values['behind-nat'],
    canRewind: values.rewinding,
    extra: splitWords(values['server-args']),
  }
}

/** @throws Error that names the first flag that only Python servers have */
function refusePythonFlags(values: Readonly<Record<string, unknown>>): void {
  const defaults: Readonly<Record<string, unknown>> = { dtype: 'float32', 'server-args': '' }
  const flag = pythonFlags.find((name) => (values[name] || undefined) !== (defaults[name] || undefined))
  if (flag !== undefined)
    throw new Error(`--${flag} is a flag of \`npm run swarm\`: the servers of the demo run without Python.`)
}

function readFlags(command: SwarmCommand, args: readonly string[]) {
  try {
    return parseArgs({
      args: joinServerArgs(args),
      options: {
        model: { type: 'string', default: defaultModel ?? '' },
        'blocks-per-server': { type: 'string' },
        replicas: { type: 'string', default: '1' },
        port: { type: 'string', default: String(defaultPort) },
        'chat-port': { type: 'string' },
        'cache-tokens': { type: 'string', default: '16384' },
        dtype: { type: 'string', default: 'float32' },
        'round-trip': { type: 'string' },
        'behind-nat': { type: 'boolean', default: false },
        rewinding: { type: 'boolean', default: false },
        'server-args': { type: 'string', default: '' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('. To specify')
    throw new Error(`${reason?.replace(/\.?$/, '.')} See npm run ${command} -- --help.`, { cause: error })
  }
}

/** Checks that a port is free. @throws Error that names the flag for another port */
export async function assertPortFree(port: number, flag: string): Promise<void> {
  const server = createServer()
  try {
    server.listen({ host: '127.0.0.1', port })
    await once(server, 'listening')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const reason = code === 'EADDRINUSE' ? 'is used by another program' : `can't be used (${String(code)})`
    const other = port < 65_535 ? port + 1 : port - 1
    throw new Error(`Port ${port} ${reason}. Choose another one, for example: ${flag} ${other}`, {
      cause: error,
    })
  } finally {
    server.close()
  }
}
