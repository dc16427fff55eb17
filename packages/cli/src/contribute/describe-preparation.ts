import { diskBytes, petalsServerScript, quoteWord, serverArguments } from '@petals-chat/contribute'
import { formatBytes } from '../terminal/format.ts'
import type { NativePreparation } from './prepare-native.ts'
import type { Preparation, PreparedEnvironment, PythonPreparation } from './prepare.ts'

type Field = readonly [label: string, value: string]

/** Describes what the command will do, as fields: shown before the work, and by `--dry-run` instead of it. */
export const describePreparation = (preparation: Preparation): readonly Field[] =>
  preparation.engine === 'python' ? describePython(preparation) : describeNative(preparation)

function describeNative(preparation: NativePreparation): readonly Field[] {
  const { model, opened, plan, device } = preparation
  const { shape } = opened
  return [
    ['Model', `${model.name}: ${shape.blocks} blocks (${shape.modelType})`],
    ['Engine', "native: llama.cpp's kernels, in a process of their own"],
    ['Swarm', swarmWords(preparation)],
    ['Machine', device.words],
    ['Blocks', nativeBlocksWords(preparation)],
    ['Weights', weightsWords(preparation)],
    ['Cache', `${plan.cacheTokens.toLocaleString('en')} tokens of all clients together`],
    ['Listens', listensWords(preparation)],
    ...licenceOf(preparation),
  ]
}

function nativeBlocksWords({ plan, settings, opened }: NativePreparation): string {
  const { blocks } = settings
  const which =
    typeof blocks === 'object'
      ? `${blocks.start} to ${blocks.end - 1}`
      : `${plan.blocks} of ${opened.shape.blocks}, those that the swarm needs most`
  const room = plan.fitting > plan.blocks ? `; room for ${plan.fitting}` : ''
  return `${which}; ${formatBytes(plan.totalBytes)} of the ${formatBytes(plan.memoryBytes)} of memory that may be used${room}`
}

function weightsWords({ plan, model }: NativePreparation): string {
  const type = plan.quantization === 'none' ? plan.dtype : plan.quantization
  const from = model.isLocal
    ? `${formatBytes(plan.fileBytes)} of the files`
    : `about ${formatBytes(plan.fileBytes)} to download, unless already here`
  return `${from}, kept as ${type}`
}

function describePython(preparation: PythonPreparation): readonly Field[] {
  const { model, blockModel, server, settings, folders, environment } = preparation
  return [
    ['Model', `${model.name}: ${blockModel.blocks} blocks (${blockModel.modelType})`],
    ['Engine', 'python: a server of Petals 2.2.0'],
    ['Swarm', swarmWords(preparation)],
    ['Machine', machineWords(preparation)],
    ['Blocks', blocksWords(preparation)],
    ...((settings.adapters ?? []).length > 0 ? [['Adapters', settings.adapters!.join(', ')] as const] : []),
    ['Environment', environmentWords(environment)],
    ...(model.isLocal
      ? []
      : [
          [
            'Weights',
            `about ${formatBytes(diskBytes(blockModel, server.blockCount))} to ${folders.blocks}, unless already there`,
          ] as const,
        ]),
    ['Listens', listensWords(preparation)],
    ...licenceOf(preparation),
  ]
}

const listensWords = (preparation: Preparation): string => {
  const { port, host } = preparation.settings
  return `port ${port} of ${host ?? 'all addresses of this machine'}${reachWords(preparation)}`
}

const licenceOf = ({ model }: Preparation): readonly Field[] =>
  model.spec?.license ? [['Licence', model.spec.license]] : []

/** Returns the command that starts the server, for users who want the details. */
export const serverCommand = ({ environment, settings }: PythonPreparation): string =>
  [environment.python, petalsServerScript, ...serverArguments(settings)].map(quoteWord).join(' ')

function swarmWords({ settings: { swarm, dhtPrefix } }: Preparation): string {
  const name = dhtPrefix === undefined ? '' : `, in which the model is called ${dhtPrefix}`
  if (swarm === 'new') return `a new one of your own${name}`
  if (swarm === 'public')
    return `the public one of petals.dev${name}: all its users can use your server, and see its name and address`
  return `through ${swarm.length === 1 ? swarm[0] : `${swarm.length} addresses`}${name}`
}

function machineWords({ server: { gpu, device }, machine }: PythonPreparation): string {
  if (gpu !== undefined)
    return `${gpu.name} (${device}), ${formatBytes(gpu.freeBytes)} of ${formatBytes(gpu.totalBytes)} free`
  const name = device === 'mps' ? 'Apple GPU' : 'CPU'
  return `${name}, ${formatBytes(machine.freeMemoryBytes)} of memory free`
}

function blocksWords({ server, settings, blockModel }: PythonPreparation): string {
  const { blocks, blockCount, memoryBytes, dtype, quantization } = server
  const which =
    typeof blocks === 'object'
      ? `${blocks.start} to ${blocks.end - 1}`
      : `${blocks === undefined ? 'about ' : ''}${blockCount} of ${blockModel.blocks}, those that the swarm needs most`
  const type = quantization === 'none' ? dtype : quantization
  const cache = settings.cacheTokens === undefined ? '' : ` of ${settings.cacheTokens} tokens`
  return `${which}; about ${formatBytes(memoryBytes)} with their caches${cache} (${type})`
}

function environmentWords({ plan, folder, installer }: PreparedEnvironment): string {
  if (plan === undefined) return `${folder} (ready)`
  const smaller =
    plan.fullBytes === undefined
      ? ''
      : ` (${formatBytes(plan.fullBytes)} if PyTorch's own index can't be reached)`
  return `${folder}: created once by ${installer}, ${formatBytes(plan.diskBytes)} of disk space${smaller}, about ${formatBytes(plan.downloadBytes)} to download, ${plan.minutes} minutes on a typical connection`
}

function reachWords({ settings: { reach } }: Preparation): string {
  switch (reach?.kind) {
    case 'announced':
      return `, announced as ${reach.addresses.join(', ')}`
    case 'relay':
      return `; reachable only through the relay ${reach.address}`
    case 'direct':
      return ', without a relay'
    default:
      return ''
  }
}
