import type { Machine } from '@petals-chat/contribute'
import type { GpuBackend, GpuName } from '@petals-chat/llama'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { formatBytes } from '../terminal/format.ts'

/** Where the native engine computes. */
export interface NativeDevice {
  readonly kind: 'cpu' | GpuName
  /** For people: the device and its memory. */
  readonly words: string
  /** The most memory that is planned with; undefined where the engine finds it out. */
  readonly memoryBytes: number | undefined
  /** `CUDA_VISIBLE_DEVICES` for the process that computes, if it is not the first GPU. */
  readonly visibleDevices?: string | undefined
  readonly warnings: readonly string[]
}

export interface DeviceFacts {
  readonly machine: Pick<Machine, 'gpus' | 'freeMemoryBytes'>
  /** The GPUs of this machine that llama.cpp knows (`detectLlamaBackends`). */
  readonly backends: readonly GpuBackend[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The share of a GPU's free memory that is planned with. */
const gpuShare = 0.9

const untested =
  'Servers on a GPU are checked with a known result when they start, but their speed has not been measured. --device cpu uses the CPU.'

/**
 * Chooses the device. By default it is a GPU for which llama.cpp's libraries are installed.
 * @throws CommandError if the machine has no such device
 */
export function chooseNativeDevice(wish: string | undefined, facts: DeviceFacts): NativeDevice {
  const [, name = '', number] = /^(auto|cpu|metal|mps|vulkan|cuda)(?::(\d+))?$/.exec(wish ?? 'auto') ?? []
  if (name === '' || (number !== undefined && name !== 'cuda'))
    throw new CommandError(
      `--device: '${wish}' is not allowed; it takes auto, cpu, cuda, cuda:1 (the second GPU), metal or vulkan.`,
      exitCodes.usage,
    )
  if (name === 'cpu') return cpu(facts)
  if (name === 'auto') return auto(facts)
  const kind = name === 'mps' ? 'metal' : (name as GpuName)
  const backend = facts.backends.find((each) => each.name === kind)
  if (backend?.possible !== true || !backend.installed)
    throw new CommandError(
      `--device ${wish} can't be used: ${backend?.detail ?? `llama.cpp does not offer it on this system.`} Use --device cpu, or leave the flag out.`,
    )
  return gpu(kind, Number(number ?? 0), facts)
}

function auto(facts: DeviceFacts): NativeDevice {
  const isUsable = ({ possible, installed }: GpuBackend): boolean => possible && installed
  const backend = facts.backends.find((each) => isUsable(each) && each.name !== 'vulkan')
  if (backend !== undefined && (backend.name !== 'cuda' || facts.machine.gpus.length > 0))
    return gpu(backend.name, 0, facts)
  const hints = facts.backends.filter((each) => each.possible && !each.installed).map(({ detail }) => detail)
  const chosen = cpu(facts)
  return { ...chosen, warnings: [...hints, ...chosen.warnings] }
}

const cpu = ({ machine }: DeviceFacts): NativeDevice => ({
  kind: 'cpu',
  words: `CPU, ${formatBytes(machine.freeMemoryBytes)} of memory free`,
  memoryBytes: undefined,
  warnings: [],
})

function gpu(kind: GpuName, index: number, { machine, environment }: DeviceFacts): NativeDevice {
  const warnings = [untested]
  if (kind === 'metal') return { kind, words: 'Apple GPU (Metal)', memoryBytes: undefined, warnings }
  const found = machine.gpus.find((each) => each.index === index)
  if (found === undefined && kind === 'cuda')
    throw new CommandError(
      `There is no GPU ${index} for --device cuda:${index}: nvidia-smi finds ${machine.gpus.length}, or CUDA_VISIBLE_DEVICES hides others. Use --device cpu.`,
    )
  return {
    kind,
    words:
      found === undefined
        ? 'GPU (Vulkan)'
        : `${found.name} (${kind}), ${formatBytes(found.freeBytes)} of ${formatBytes(found.totalBytes)} free`,
    memoryBytes: found && Math.floor(found.freeBytes * gpuShare),
    ...(index > 0 && {
      visibleDevices: environment.CUDA_VISIBLE_DEVICES?.split(',')[index] ?? String(index),
    }),
    warnings,
  }
}
