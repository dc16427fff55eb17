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
} from '@petals-chat/contribute'
import { isPublicSwarm } from '@petals-chat/petals/config'
import { loadConfig, type LoadedConfig } from '../config/load.ts'
import type { Flags } from '../config/overrides.ts'
import type { CommandContext } from '../context.ts'
import { CommandError } from '../exit-codes.ts'
import { createStore } from '../runtime.ts'
import {
  findContributedModel,
  prefixOf,
  readContributedModel,
  type ContributedModel,
} from './contributed-model.ts'
import { choosePort, contributeFolders, requireDisk, type ContributeFolders } from './place.ts'
import { readContributeFlags, type ContributeRequest } from './request.ts'

/** Everything that is determined before anything is created or started. */
export interface Preparation {
  readonly request: ContributeRequest
  readonly loaded: LoadedConfig
  readonly model: ContributedModel
  readonly blockModel: BlockModel
  readonly machine: Machine
  readonly server: ServerPlan
  readonly settings: ServerSettings
  readonly folders: ContributeFolders
  readonly environment: PreparedEnvironment
  readonly logFile: string
}

/** The Python environment, and the plan that creates it if it does not exist. */
export interface PreparedEnvironment {
  readonly folder: string
  readonly python: string
  readonly plan: EnvironmentPlan | undefined
  /** Name of the installer, for messages. */
  readonly installer: string
}

/** Checks the command line, the model and the machine; writes nothing. @throws CommandError, ContributeError, EngineError */
export async function prepare(context: CommandContext, [text = '']: readonly string[]): Promise<Preparation> {
  const request = readContributeFlags(context.flags)
  const loaded = await loadConfig({ ...context, flags: configFlags(context.flags, request) })
  const model = await findContributedModel(text, loaded, context.workingDirectory)
  const blockModel = await readContributedModel(model, createStore(loaded))
  const machine = await lookAtMachine(context.environment)
  if (machine.platform === 'win32') {
    throw new CommandError(
      'Petals servers do not run on Windows itself. Install WSL (wsl --install), open its Linux, and run this command there; it can use the GPU.',
    )
  }
  const server = planServer(blockModel, machine, request)
  const folders = contributeFolders(context.environment)
  const port = await choosePort(request.port, request.host)
  const settings = settingsOf({ request, loaded, model, blockModel, server, folders, port })
  if (!model.isLocal) await requireDisk(model.name, { blockModel, server, folders })
  return {
    request,
    loaded,
    model,
    blockModel,
    machine,
    server,
    settings,
    folders,
    environment: await prepareEnvironment(request, machine, server, folders, context.workingDirectory),
    logFile: path.join(folders.state, `server-${port}.log`),
  }
}

/** Returns the flags for the configuration, without those that mean something else for the chat server. */
function configFlags(flags: Flags, { startsSwarm }: ContributeRequest): Flags {
  const { config, logLevel, offline, swarm } = flags
  return { config, logLevel, offline, ...(startsSwarm ? {} : { swarm }) }
}

interface SettingsParts extends Pick<
  Preparation,
  'request' | 'loaded' | 'model' | 'blockModel' | 'server' | 'folders'
> {
  readonly port: number
}

function settingsOf({
  request,
  loaded,
  model,
  blockModel,
  server,
  folders,
  port,
}: SettingsParts): ServerSettings {
  const { initialPeers } = loaded.config.swarm
  const isPublic = isPublicSwarm(initialPeers)
  const { adapter } = model.spec?.engine === 'petals' ? model.spec : {}
  const adapters = [...new Set([...request.adapters, ...(adapter ? [adapter] : [])])]
  return {
    model: model.model,
    revision: model.revision,
    swarm: request.startsSwarm ? 'new' : isPublic ? 'public' : initialPeers,
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
