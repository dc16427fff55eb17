import type { Dtype, Reach } from '@petals-chat/contribute'
import type { BlockSpan } from '@petals-chat/engine'
import type { Flags } from '../config/overrides.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'

/** What computes the blocks: llama.cpp's kernels, or Petals in Python. */
export type EngineName = 'native' | 'python'

const quantizations = ['none', 'q8_0', 'q4_k', 'int8', 'nf4'] as const

/** The values of the flags of `petals-chat contribute`. */
export interface ContributeRequest {
  /** Undefined: the native one, unless something else asks for Python. */
  readonly engine: EngineName | undefined
  /** False: joins the swarm of the configuration. */
  readonly startsSwarm: boolean
  readonly blocks: number | BlockSpan | undefined
  readonly adapters: readonly string[]
  readonly quantization: (typeof quantizations)[number] | undefined
  readonly dtype: Dtype | undefined
  readonly device: string | undefined
  readonly host: string | undefined
  readonly port: number | undefined
  readonly reach: Reach
  readonly publicName: string | undefined
  readonly cacheTokens: number | undefined
  /** The most memory that the blocks and their caches may take. */
  readonly memoryBytes: number | undefined
  readonly threads: number | undefined
  /** Bits per second of the slower direction of the network. */
  readonly networkBps: number | undefined
  readonly dhtPrefix: string | undefined
  readonly identity: string | undefined
  readonly environment: string | undefined
  readonly isDryRun: boolean
  readonly isVerbose: boolean
}

/** Reads the flags. @throws CommandError that names the flag and its allowed values */
export function readContributeFlags(flags: Flags): ContributeRequest {
  const swarm = list(flags.swarm)
  const port = number('--port', flags.port, 0, 65_535)
  if (swarm.includes('new') && swarm.length > 1)
    throw wrong('--swarm', swarm.join(','), 'addresses, public, or new alone')
  return {
    engine: oneOf('--engine', flags.engine, ['native', 'python']),
    startsSwarm: swarm[0] === 'new',
    blocks: readBlocks(flags.blocks),
    adapters: list(flags.adapters).map(checkAdapter),
    quantization: oneOf('--quantization', flags.quantization, quantizations),
    dtype: oneOf('--dtype', flags.dtype, ['auto', 'float32', 'float16', 'bfloat16']),
    device: text(flags.device),
    host: text(flags.host),
    port,
    reach: readReach(flags, port),
    publicName: text(flags.publicName),
    cacheTokens: number('--cache-tokens', flags.cacheTokens, 1, 1e9),
    memoryBytes: readMemory(flags.memory),
    networkBps: readSpeed(flags.networkSpeed),
    threads: number('--threads', flags.threads, 1, 1024),
    dhtPrefix: readPrefix(flags.dhtPrefix),
    identity: text(flags.identity),
    environment: text(flags.environment),
    isDryRun: flags.dryRun === true,
    isVerbose: flags.verbose === true,
  }
}

const wrong = (flag: string, value: string, takes: string): CommandError =>
  new CommandError(`${flag}: '${value}' is not allowed; it takes ${takes}.`, exitCodes.usage)

const text = (value: unknown): string | undefined =>
  value === undefined || value === '' ? undefined : String(value)

/** Reads a flag that may be repeated, or given once with commas. */
const list = (value: unknown): readonly string[] =>
  [value]
    .flat()
    .filter((each) => each !== undefined)
    .flatMap((each) => String(each).split(','))
    .map((each) => each.trim())
    .filter(Boolean)

function number(flag: string, value: unknown, low: number, high: number): number | undefined {
  if (value === undefined) return undefined
  const result = Number(value)
  if (String(value).trim() !== '' && Number.isInteger(result) && result >= low && result <= high)
    return result
  throw wrong(flag, String(value), `a whole number from ${low} to ${high}`)
}

function oneOf<const T extends string>(flag: string, value: unknown, known: readonly T[]): T | undefined {
  if (value === undefined) return undefined
  const found = known.find((each) => each === String(value).toLowerCase())
  if (found === undefined) throw wrong(flag, String(value), known.join(', '))
  return found
}

/** `12`: how many; `4:8`: blocks 4 to 7. */
function readBlocks(value: unknown): ContributeRequest['blocks'] {
  if (value === undefined || value === 'auto') return undefined
  const [, first, second] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(String(value).trim()) ?? []
  const [start, end] = [Number(first), Number(second)]
  if (second === undefined && start > 0) return start
  if (end > start) return { start, end }
  throw wrong(
    '--blocks',
    String(value),
    'auto, how many, such as 12, or which, such as 4:8 for blocks 4 to 7',
  )
}

const memoryUnits: Readonly<Record<string, number>> = {
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
}

const speedUnits: Readonly<Record<string, number>> = { KBIT: 1e3, MBIT: 1e6, GBIT: 1e9 }

/** `8GB`, `500 MB`, `1.5GiB`. */
const readMemory = (value: unknown): number | undefined =>
  amount('--memory', value, memoryUnits, 'an amount of memory with its unit, such as 8GB or 500MB')

/** `50Mbit`, `1.5 Gbit`: a second. */
const readSpeed = (value: unknown): number | undefined =>
  amount('--network-speed', value, speedUnits, 'bits per second with their unit, such as 50Mbit or 1Gbit')

/** Reads a number above 0 with one of these units. */
function amount(
  flag: string,
  value: unknown,
  units: Readonly<Record<string, number>>,
  takes: string,
): number | undefined {
  if (value === undefined) return undefined
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(String(value).trim()) ?? []
  const result = Number(count) * (units[unit.toUpperCase()] ?? Number.NaN)
  if (result > 0) return Math.floor(result)
  throw wrong(flag, String(value), takes)
}

function checkAdapter(name: string): string {
  if (/^[\w.-]+\/[\w.-]+$/.test(name) && !name.startsWith('.')) return name
  throw wrong('--adapters', name, 'repositories of the Hub, such as owner/lora, separated by commas')
}

function readPrefix(value: unknown): string | undefined {
  const prefix = text(value)
  if (prefix === undefined || /^[^. ]{1,200}$/.test(prefix)) return prefix
  throw wrong('--dht-prefix', prefix, 'a name without dots and spaces')
}

const multiaddr = /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/(tcp|udp)\/\d+(\/\S*)?$/

function readReach({ publicIp, announce, relay }: Flags, port: number | undefined): Reach {
  const given = Object.entries({ '--public-ip': publicIp, '--announce': announce, '--relay': relay })
  const flags = given.filter(([, value]) => value !== undefined).map(([name]) => name)
  if (flags.length > 1)
    throw new CommandError(`${flags.join(' and ')} exclude each other: use one of them.`, exitCodes.usage)
  if (publicIp !== undefined) return announced(String(publicIp), port)
  if (announce !== undefined) {
    const addresses = list(announce)
    const bad = addresses.find((address) => !multiaddr.test(address))
    if (bad !== undefined) throw wrong('--announce', bad, 'addresses such as /dns4/gpu.example.org/tcp/31337')
    return { kind: 'announced', addresses }
  }
  if (relay === undefined || relay === 'auto') return { kind: 'auto' }
  if (relay === 'off') return { kind: 'direct' }
  const address = String(relay)
  if (!multiaddr.test(address) || !address.includes('/p2p/'))
    throw wrong(
      '--relay',
      address,
      'auto, off, or the address of a peer such as /ip4/203.0.113.7/tcp/31337/p2p/Qm…',
    )
  return { kind: 'relay', address }
}

function announced(ip: string, port: number | undefined): Reach {
  const kind = /^\d+\.\d+\.\d+\.\d+$/.test(ip) ? 'ip4' : ip.includes(':') ? 'ip6' : undefined
  if (kind === undefined) throw wrong('--public-ip', ip, 'the public IP address of this machine')
  if (!port) {
    throw new CommandError(
      '--public-ip needs --port: the port that the router forwards to this machine, such as 31337.',
      exitCodes.usage,
    )
  }
  return { kind: 'announced', addresses: [`/${kind}/${ip}/tcp/${port}`] }
}
