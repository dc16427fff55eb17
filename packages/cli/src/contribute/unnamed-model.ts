import { joinCommand, type JoinTarget } from '@petals-chat/contribute'
import { connectSwarm, type SwarmModel } from '@petals-chat/petals/client'
import { isPublicSwarm } from '@petals-chat/petals/config'
import type { LoadedConfig } from '../config/load.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { launcher } from '../launcher.ts'
import { repositoryOfPage } from '../config/hub-page.ts'
import type { ContributeRequest } from './request.ts'

type Swarm = LoadedConfig['config']['swarm']

/** Returns the models that servers of a swarm have registered. @throws Error if no peer answers */
export type ListModels = (swarm: Swarm) => Promise<readonly SwarmModel[]>

/** The swarm's peers may be away: then the command must say so soon. */
const answerWithinMs = 20_000

/** More would fill the terminal: the public swarm has had dozens. */
const mostListed = 12

async function askSwarm(swarm: Swarm): Promise<readonly SwarmModel[]> {
  const signal = AbortSignal.timeout(answerWithinMs)
  await using client = await connectSwarm({ ...swarm, initialPeers: [...swarm.initialPeers] }, { signal })
  return await client.listModels({ signal })
}

/** The model of a command line that names none. */
export interface UnnamedModel {
  /** As `findContributedModel` takes it. */
  readonly name: string
  /** Under which its servers have registered it: they need not have derived it from the repository's name. */
  readonly dhtPrefix?: string | undefined
}

/**
 * Chooses the model of a command line that names none: the swarm's model of the configuration; else, for a new swarm, the
 * first model of the configuration that is not on another server; else the only model that the swarm's servers have
 * registered, if they took it from the Hub.
 * @throws CommandError with the commands to choose from, if that leaves several models or none
 */
export async function findUnnamedModel(
  { config }: Pick<LoadedConfig, 'config'>,
  { startsSwarm }: Pick<ContributeRequest, 'startsSwarm'>,
  listModels: ListModels = askSwarm,
): Promise<UnnamedModel> {
  const configured = config.models.filter(({ engine }) => engine === 'petals').map(({ id }) => id)
  if (configured.length === 1) return { name: configured[0]! }
  if (configured.length > 1)
    throw unnamed(`The configuration has several models of a swarm: ${configured.join(', ')}`)
  if (startsSwarm) {
    const first = config.models.find(({ engine }) => engine !== 'upstream')
    if (first !== undefined) return { name: first.id }
    throw unnamed('The configuration has no model with files on this machine')
  }
  return onlyModelOf(config.swarm, listModels)
}

async function onlyModelOf(swarm: Swarm, listModels: ListModels): Promise<UnnamedModel> {
  const isPublic = isPublicSwarm(swarm.initialPeers)
  const where = isPublic ? 'The public swarm' : 'The swarm'
  const found = await listModels(swarm).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw unnamed(`${where} could not be asked which models it has: ${reason}`)
  })
  const repositories = found.map(({ repository }) => repositoryOfPage(repository))
  const [name] = repositories
  if (found.length === 1 && name !== undefined) return { name, dhtPrefix: found[0]!.dhtPrefix }
  if (found.length === 0) throw unnamed(`${where} has no model whose name its servers publish`)
  const target = ({ dhtPrefix }: SwarmModel, index: number): JoinTarget => ({
    model: repositories[index],
    swarm: isPublic ? 'public' : swarm.initialPeers,
    dhtPrefix,
  })
  const commands = found
    .slice(0, mostListed)
    .map((model, index) => joinCommand(launcher(), target(model, index)))
  throw unnamed(
    `${where} has ${found.length === 1 ? 'one model, which its servers read from files of their own' : 'several models'}`,
    found.length > mostListed ? [...commands, '…'] : commands,
  )
}

const unnamed = (reason: string, commands: readonly string[] = []): CommandError =>
  new CommandError(
    `${reason.replace(/\.$/, '')}. Name the model to serve (MODEL): a repository of the Hub (owner/repo), a folder with config.json and the weights, or a GGUF file.${commands.map((command) => `\n  ${command}`).join('')}`,
    exitCodes.usage,
  )
