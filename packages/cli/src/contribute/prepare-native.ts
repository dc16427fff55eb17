import path from 'node:path'
import { planBlocks, type BlockModel, type BlocksPlan, type WeightType } from '@petals-chat/blocks'
import type { Reach } from '@petals-chat/contribute'
import type { BlockSpan } from '@petals-chat/engine'
import { detectLlamaBackends } from '@petals-chat/llama'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { swarmOf, type CommonPreparation, type SwarmChoice } from './common-preparation.ts'
import { nativePrefix } from './native-model.ts'
import { chooseNativeDevice, type NativeDevice } from './native-device.ts'
import { choosePort } from './place.ts'
import type { ContributeRequest } from './request.ts'

/** The settings of a server without Python. */
export interface NativeSettings {
  readonly swarm: SwarmChoice
  readonly dhtPrefix: string
  /** Which, or how many, which the swarm's need then places. */
  readonly blocks: BlockSpan | number
  readonly weights: WeightType
  readonly host: string | undefined
  readonly port: number
  readonly reach: Reach
  readonly publicName: string | undefined
  readonly identityPath: string
  readonly adapters: readonly string[]
}

/** Everything that is determined before weights are downloaded and the server started. */
export interface NativePreparation extends CommonPreparation {
  readonly engine: 'native'
  readonly opened: BlockModel
  readonly device: NativeDevice
  readonly plan: BlocksPlan
  readonly settings: NativeSettings
  readonly warnings: readonly string[]
}

/** Plans the memory, and chooses the port. Writes nothing. @throws CommandError, ModelUnavailableError */
export async function prepareNative(
  { environment }: Pick<CommandContext, 'environment'>,
  parts: Omit<CommonPreparation, 'port'> & Pick<NativePreparation, 'opened'>,
): Promise<NativePreparation> {
  const { request, loaded, model, machine, folders, opened } = parts
  const backends = detectLlamaBackends({ environment }).gpus
  const device = chooseNativeDevice(request.device, { machine, backends, environment })
  const memoryBytes = request.memoryBytes ?? device.memoryBytes
  requireKnownMemory(device, request, memoryBytes)
  const weights = weightsOf(request)
  const { blocks, cacheTokens } = request
  const plan = await planBlocks({ model: opened, weights, memoryBytes, cacheTokens, blocks })
  const port = await choosePort(request.port, request.host)
  const settings: NativeSettings = {
    swarm: swarmOf(request, loaded),
    dhtPrefix: nativePrefix(model, opened.shape.modelType, request.dhtPrefix),
    blocks: typeof blocks === 'object' ? blocks : placeFor(plan, opened),
    weights,
    host: request.host,
    port,
    reach: request.reach,
    publicName: request.publicName,
    identityPath: request.identity ?? path.join(folders.state, `native-identity-${port}.id`),
    adapters: [],
  }
  return {
    ...parts,
    engine: 'native',
    device,
    plan,
    settings,
    port,
    warnings: [...device.warnings, ...quantizationWarnings(request, plan)],
  }
}

/** A server that holds all blocks has nothing to choose. */
const placeFor = ({ blocks }: BlocksPlan, { shape }: BlockModel): BlockSpan | number =>
  blocks === shape.blocks ? { start: 0, end: blocks } : blocks

/** @throws CommandError where a GPU does not say how much memory it has */
function requireKnownMemory(
  { kind }: NativeDevice,
  { blocks }: ContributeRequest,
  memoryBytes: number | undefined,
): void {
  if (kind !== 'vulkan' || memoryBytes !== undefined || blocks !== undefined) return
  throw new CommandError(
    'How much memory a Vulkan GPU has is not known here: add --memory 8GB (what blocks and their caches may take), or --blocks N.',
    exitCodes.usage,
  )
}

const plainTypes = { auto: 'as-stored', float32: 'f32', float16: 'f16', bfloat16: 'bf16' } as const

/** @throws CommandError if weights should be of two kinds */
function weightsOf({ quantization, dtype }: ContributeRequest): WeightType {
  if (quantization !== 'q8_0' && quantization !== 'q4_k') return plainTypes[dtype ?? 'auto']
  if (dtype === undefined || dtype === 'auto') return quantization
  throw new CommandError(
    `--quantization ${quantization} and --dtype ${dtype} exclude each other: --dtype is for weights that are not quantized.`,
    exitCodes.usage,
  )
}

function quantizationWarnings({ quantization }: ContributeRequest, plan: BlocksPlan): readonly string[] {
  if (plan.quantization === 'none') return []
  const differs =
    'The weights are quantized: hidden states differ by some percent from those of servers with 16 or 32 bits, and so may answers.'
  if (quantization === undefined || quantization === plan.quantization) return [differs]
  return [`The files are already quantized (${plan.quantization}), and are kept as they are.`, differs]
}
