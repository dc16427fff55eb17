import { setTimeout as delay } from 'node:timers/promises'
import {
  ModelUnavailableError,
  silentLogger,
  silentMetrics,
  type LoadOptions,
  type Logger,
  type Metrics,
  type ModelFiles,
} from '@petals-chat/engine'
import { missingBlocks } from '../blocks/spans.ts'
import type { PetalsModelSpec, SwarmConfig } from '../config.ts'
import { ChoosingDrafter } from '../drafting/drafter.ts'
import { LookupSource } from '@petals-chat/engine/drafting'
import type { DraftModel } from '../drafting/draft-model.ts'
import { ModelSource } from '../drafting/model-source.ts'
import { RouteTimes } from '../drafting/route-times.ts'
import { SwarmError, SwarmUnreachableError } from '../errors.ts'
import { readArchitecture, type Architecture } from '../layers/architecture.ts'
import { endSpareScreeningProcess, prepareScreeningProcess } from '../layers/head/screening-process.ts'
import type { LocalLayers } from '../layers/local-layers.ts'
import { openTokenizer, type ModelTokenizer } from '../layers/tokenizer.ts'
import { startDraftModel, type LoadDraft } from './open-draft-model.ts'
import { openLayers } from './local-part.ts'
import { locationOf, type ModelLocation } from '../swarm/model-location.ts'
import type { OpenFiles } from '../swarm/model-locator.ts'
import type { ModelSwarm, ModelSwarms } from '../swarm/model-swarms.ts'
import { PetalsModel } from './petals-model.ts'
import { openRemoteModel } from './remote-model.ts'
import type { SwarmConnection, SwarmConnector } from '../swarm/swarm-connector.ts'

/** What loading a model needs from outside this package. */
export interface ModelDependencies {
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Opens the files of a model's `source`. @throws ModelUnavailableError */
  readonly openFiles: OpenFiles
  /** Loads the draft models of entries; without it, they are left out. */
  readonly loadDraft?: LoadDraft | undefined
  /** Folder for 8-bit copies of LM heads and packed vocabularies, which are kept between starts. */
  readonly cacheFolder: string
}

export interface LoadModelOptions extends LoadOptions, ModelDependencies {
  readonly config: SwarmConfig
  readonly connector: SwarmConnector
  readonly swarms: ModelSwarms
  /** Called when the model is disposed. */
  readonly onClose: () => void
}

/**
 * The LM head loads in a process of its own. Starting it takes some file reads, which would wait a third of a second behind
 * the import of libp2p and the construction of the tokenizer. These therefore start a little later.
 */
const headStartMs = 40

/**
 * Brings a model's local part to this machine and finds its servers, both at the same time. Loading does not fail because
 * some blocks have no server now: servers come and go. @throws ModelUnavailableError
 */
export async function loadPetalsModel(
  spec: PetalsModelSpec,
  options: LoadModelOptions,
): Promise<PetalsModel> {
  prepareScreeningProcess()
  try {
    return await load(spec, options)
  } catch (error) {
    endSpareScreeningProcess()
    throw error
  }
}

async function load(spec: PetalsModelSpec, options: LoadModelOptions): Promise<PetalsModel> {
  const { config, connector, metrics = silentMetrics, logger = silentLogger, loadDraft } = options
  const modelLogger = logger.child({ model: spec.id })
  const headStart = delay(headStartMs)
  // Joins the swarm while files are still being fetched. A failure is reported by `joinSwarm`.
  void headStart.then(() => connector.get()).catch(() => {})
  const drafted = config.speculation === 'auto' ? spec : { id: spec.id }
  const pendingDraft = startDraftModel(drafted, { ...options, loadDraft, logger: modelLogger })
  const { layers, tokenizer, joined, architecture } = await openAll(spec, {
    ...options,
    logger: modelLogger,
    headStart,
  }).catch((error: unknown) => {
    pendingDraft.drop()
    throw error
  })
  const draftModel = await pendingDraft.for(tokenizer.tokenizer)
  const remote = openRemoteModel(joined.swarm, {
    rpc: joined.connection.rpc,
    hiddenSize: architecture.hiddenSize,
    config,
    logger: modelLogger,
    metrics,
  })
  return new PetalsModel({
    id: spec.id,
    // `maxSessionLength` can allow more than the model's usual context; where it allows less, the gateway applies it.
    contextLength: Math.max(architecture.contextLength, spec.maxSessionLength ?? 0),
    ...tokenizer,
    layers,
    remote,
    logger: modelLogger,
    showRoute: config.showRoute,
    speculation: {
      createDrafter: config.speculation === 'auto' ? () => createDrafter(draftModel) : undefined,
      times: new RouteTimes(),
      metrics,
    },
    draftModel,
    onClose: options.onClose,
  })
}

const createDrafter = (draftModel: DraftModel | undefined): ChoosingDrafter =>
  new ChoosingDrafter([new LookupSource(), ...(draftModel ? [new ModelSource(draftModel)] : [])])

/** Opens the model's files, what runs on this machine, and the swarm. */
async function openAll(
  spec: PetalsModelSpec,
  options: LoadModelOptions & Pick<PartsOptions, 'headStart'>,
): Promise<Parts & { readonly architecture: Architecture }> {
  const files = await options.openFiles(spec.source, options)
  const architecture = await readArchitecture(files, options)
  const location = locationOf(spec, architecture)
  return { ...(await openParts(files, architecture, { ...options, spec, location })), architecture }
}

interface PartsOptions extends LoadModelOptions {
  readonly spec: PetalsModelSpec
  readonly location: ModelLocation
  readonly headStart: Promise<void>
}

interface Parts {
  readonly layers: LocalLayers
  readonly tokenizer: ModelTokenizer
  readonly joined: JoinedSwarm
}

/** Opens all parts or none: if one fails, those that are open are closed. */
async function openParts(
  files: ModelFiles,
  architecture: Architecture,
  options: PartsOptions,
): Promise<Parts> {
  const failed = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal
  const opening = openLayers(files, { ...options, signal })
  try {
    await Promise.race([opening, options.headStart])
    const [layers, tokenizer, joined] = await Promise.all([
      opening,
      openTokenizer(files, architecture, options.spec.dialogue, { folder: options.cacheFolder, signal }),
      joinSwarm({ ...options, signal }),
    ])
    return { layers, tokenizer, joined }
  } catch (error) {
    failed.abort(error)
    await opening.then(
      (layers) => layers[Symbol.asyncDispose](),
      () => {},
    )
    throw error
  }
}

interface JoinedSwarm {
  readonly connection: SwarmConnection
  readonly swarm: ModelSwarm
}

/** Joins the swarm and waits for the DHT's first answer about the model's servers. */
async function joinSwarm(options: PartsOptions): Promise<JoinedSwarm> {
  const { connector, swarms, location, spec, onProgress, signal } = options
  const { numBlocks } = location
  const report = (done: number): void =>
    onProgress?.({ phase: 'connect', label: 'the swarm', done, total: numBlocks, unit: 'blocks' })
  report(0)
  try {
    const connection = await connector.get({ signal })
    const swarm = swarms.of(location, connection)
    const spans = await swarm.directory.findSpans({ signal })
    report(numBlocks - missingBlocks(spans, { start: 0, end: numBlocks }).length)
    return { connection, swarm }
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error
    const message =
      error instanceof SwarmUnreachableError
        ? error.message
        : `The swarm of '${spec.id}' can't be joined. ${error.message}`
    throw new ModelUnavailableError(message, { cause: error })
  }
}
