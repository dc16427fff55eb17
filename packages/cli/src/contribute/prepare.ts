import { stat } from 'node:fs/promises'
import path from 'node:path'
import {
  checkEnvironment,
  findInstaller,
  isReady,
  lookAtMachine,
  planEnvironment,
  planServer,
  pythonFolder,
  pythonOf,
  type BlockModel,
  type EnvironmentPlan,
  type Machine,
  type ServerPlan,
  type ServerSettings,
  type ServerWishes,
} from '@petals-chat/contribute'
import { ModelUnavailableError } from '@petals-chat/engine'
import type { ModelStore } from '@petals-chat/hub'
import type { BlockModel as OpenedModel } from '@petals-chat/blocks'
import { loadConfig } from '../config/load.ts'
import type { Flags } from '../config/overrides.ts'
import type { CommandContext } from '../context.ts'
import { CommandError } from '../exit-codes.ts'
import { createStore } from '../runtime.ts'
import { ProgressDisplay } from '../terminal/progress.ts'
import { chooseEngine } from './choose-engine.ts'
import { swarmOf, type CommonPreparation } from './common-preparation.ts'
import { findContributedModel, prefixOf, readContributedModel } from './contributed-model.ts'
import { openNativeModel } from './native-model.ts'
import { prepareNative, type NativePreparation } from './prepare-native.ts'
import { choosePort, contributeFolders, requireDisk, type ContributeFolders } from './place.ts'
import { readContributeFlags, type ContributeRequest } from './request.ts'
import { findUnnamedModel, type UnnamedModel } from './unnamed-model.ts'

/** Everything that is determined before the Python environment is created or the server started. */
export interface PythonPreparation extends CommonPreparation {
  readonly engine: 'python'
  readonly blockModel: BlockModel
  readonly server: ServerPlan
  readonly settings: ServerSettings
  readonly environment: PreparedEnvironment
  readonly logFile: string
}

export type Preparation = PythonPreparation | NativePreparation

/** The Python environment, and the plan that creates it if it does not exist. */
export interface PreparedEnvironment {
  readonly folder: string
  readonly python: string
  readonly plan: EnvironmentPlan | undefined
  /** Name of the installer, for messages. */
  readonly installer: string
}

/** Checks the command line, the model and the machine; writes nothing. @throws CommandError, ContributeError, EngineError */
export async function prepare(context: CommandContext, [text]: readonly string[]): Promise<Preparation> {
  const flags = readContributeFlags(context.flags)
  const loaded = await loadConfig({ ...context, flags: configFlags(context.flags, flags) })
  const named: UnnamedModel = text === undefined ? await findUnnamedModel(loaded, flags) : { name: text }
  const request = { ...flags, dhtPrefix: flags.dhtPrefix ?? named.dhtPrefix }
  const model = await findContributedModel(named.name, loaded, context.workingDirectory)
  const choice = chooseEngine(request, model)
  const store = createStore(loaded)
  const machine = await lookAtMachine(context.environment)
  const folders = contributeFolders(context.environment)
  const common = { request, loaded, model, machine, folders }
  if (choice.engine === 'python') return preparePython(context, { ...common, ...choice }, store)
  const opened = await openForNative(common, store, context)
  if ('reason' in opened) return preparePython(context, { ...common, ...opened }, store)
  return prepareNative(context, { ...common, opened })
}

/** Opens the model; or says why only Python can serve it. @throws EngineError if neither can */
async function openForNative(
  { model, request, machine }: Pick<CommonPreparation, 'model' | 'request' | 'machine'>,
  store: ModelStore,
  { terminal }: CommandContext,
): Promise<OpenedModel | { readonly reason: string }> {
  const progress = new ProgressDisplay(terminal)
  try {
    return await openNativeModel(model, store, (each) => progress.update(each))
  } catch (error) {
    const isPossible = request.engine === undefined && !model.isGguf && machine.platform !== 'win32'
    if (!isPossible || !(error instanceof ModelUnavailableError)) throw error
    await readContributedModel(model, store).catch(() => {
      throw error
    })
    return { reason: error.message }
  } finally {
    progress.finish()
  }
}

type PythonParts = Omit<CommonPreparation, 'port'>

async function preparePython(
  context: CommandContext,
  common: PythonParts,
  store: ModelStore,
): Promise<PythonPreparation> {
  const { request, loaded, model, machine, folders } = common
  const blockModel = await readContributedModel(model, store)
  if (machine.platform === 'win32') {
    throw new CommandError(
      "Petals' Python servers do not run on Windows itself. Install WSL (wsl --install), open its Linux, and run this command there; it can use the GPU. Without Python (--engine native), a server runs on Windows too.",
    )
  }
  const server = planServer(blockModel, machine, pythonWishes(request))
  const port = await choosePort(request.port, request.host)
  const settings = settingsOf({ request, loaded, model, blockModel, server, folders, port })
  if (!model.isLocal) await requireDisk(model.name, { blockModel, server, folders })
  return {
    ...common,
    engine: 'python',
    port,
    blockModel,
    server,
    settings,
    environment: await prepareEnvironment(request, machine, server, folders, context.workingDirectory),
    logFile: path.join(folders.state, `server-${port}.log`),
  }
}

/** `auto` is what Python does without the flag. */
function pythonWishes({ device, quantization, ...wishes }: ContributeRequest): ServerWishes {
  return {
    ...wishes,
    device: device === 'auto' ? undefined : device,
    quantization: pythonQuantizations.find((each) => each === quantization),
  }
}

const pythonQuantizations = ['none', 'int8', 'nf4'] as const

/** Returns the flags for the configuration, without those that mean something else for the chat server. */
function configFlags(flags: Flags, { startsSwarm }: ContributeRequest): Flags {
  const { config, logLevel, offline, swarm } = flags
  return { config, logLevel, offline, ...(startsSwarm ? {} : { swarm }) }
}

type SettingsParts = Pick<
  PythonPreparation,
  'request' | 'loaded' | 'model' | 'blockModel' | 'server' | 'folders' | 'port'
>

function settingsOf({
  request,
  loaded,
  model,
  blockModel,
  server,
  folders,
  port,
}: SettingsParts): ServerSettings {
  const { adapter } = model.spec?.engine === 'petals' ? model.spec : {}
  const adapters = [...new Set([...request.adapters, ...(adapter ? [adapter] : [])])]
  return {
    model: model.model,
    revision: model.revision,
    swarm: swarmOf(request, loaded),
    dhtPrefix: prefixOf(model, blockModel, request.dhtPrefix),
    blocks: server.blocks,
    adapters,
    quantization: server.quantization,
    dtype: server.dtype,
    device: server.device,
    host: request.host,
    port,
    reach: request.reach,
    publicName: request.publicName,
    cacheTokens: request.cacheTokens,
    identityPath: request.identity ?? path.join(folders.state, `identity-${port}.id`),
  }
}

async function prepareEnvironment(
  request: ContributeRequest,
  machine: Machine,
  { torch }: ServerPlan,
  { environments }: ContributeFolders,
  workingDirectory: string,
): Promise<PreparedEnvironment> {
  const named = request.environment && path.resolve(workingDirectory, request.environment)
  const folder = named ?? path.join(environments, `petals-2.2.0.post1-${torch}`)
  const python = pythonOf(folder)
  if (await isReady(folder, torch)) return { folder, python, plan: undefined, installer: '' }
  if (named !== undefined && (await isFolder(named))) {
    await checkEnvironment(folder)
    return { folder, python, plan: undefined, installer: '' }
  }
  const installer = await findInstaller()
  const plan = planEnvironment({ installer, machine, torch, folder, requirements: pythonFolder })
  return {
    folder,
    python,
    plan,
    installer: installer.kind === 'uv' ? 'uv' : `pip of Python ${installer.version}`,
  }
}

const isFolder = (place: string): Promise<boolean> =>
  stat(place).then(
    (found) => found.isDirectory(),
    () => false,
  )
