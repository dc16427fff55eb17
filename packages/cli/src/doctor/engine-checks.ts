import { detectLlamaBackends, type LlamaMachine } from '@petals-chat/llama'
import { failure, ok, warning, type Check, type CheckResult } from './check.ts'

export const processorCheck: Check = {
  name: 'Processor',
  run: async ({ environment }) => describeProcessor(detectLlamaBackends({ environment })),
}

export const gpuCheck: Check = {
  name: 'GPU',
  run: async ({ config, environment }) =>
    describeGpus(detectLlamaBackends({ environment }), config.llama.gpu),
}

const limits = { affinity: 'CPU affinity', cgroup: "the container's CPU limit" } as const

export function describeProcessor({ cores, cpu }: Pick<LlamaMachine, 'cores' | 'cpu'>): CheckResult {
  const { available, installed, limitedBy } = cores
  const limit = limitedBy === undefined ? '' : ` of ${installed} (limited by ${limits[limitedBy]})`
  const message = `${available}${limit} ${available === 1 ? 'core' : 'cores'} for local models`
  return cpu.installed ? ok(message) : failure(message, cpu.detail)
}

/** Without a GPU, models run on the CPU: only a configured GPU that is missing is a failure. */
export function describeGpus(
  { gpus, command }: Pick<LlamaMachine, 'gpus' | 'command'>,
  wanted: string,
): CheckResult {
  const usable = gpus.filter(({ possible, installed }) => possible && installed)
  const message =
    usable.length === 0
      ? 'no usable GPU; models run on the CPU'
      : usable.map(({ detail }) => detail).join(' ')
  const advice =
    command === undefined ? undefined : `This machine has an NVIDIA GPU that is not used. Run: ${command}`
  const asked = gpus.find(({ name }) => name === wanted)
  const isMissing = wanted !== 'auto' && wanted !== 'off' && !usable.some(({ name }) => name === wanted)
  if (isMissing) {
    return failure(
      `${wanted} is configured (llama.gpu, --gpu) and can't be used on this machine`,
      advice ?? asked?.detail ?? 'Choose auto.',
    )
  }
  return advice === undefined ? ok(message) : warning(message, advice)
}
