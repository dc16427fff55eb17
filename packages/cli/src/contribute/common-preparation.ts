import type { Machine } from '@petals-chat/contribute'
import { isPublicSwarm } from '@petals-chat/petals/config'
import type { LoadedConfig } from '../config/load.ts'
import type { ContributedModel } from './contributed-model.ts'
import type { ContributeFolders } from './place.ts'
import type { ContributeRequest } from './request.ts'

/** What is the same for both engines. */
export interface CommonPreparation {
  readonly request: ContributeRequest
  readonly loaded: LoadedConfig
  readonly model: ContributedModel
  readonly machine: Machine
  readonly folders: ContributeFolders
  readonly port: number
  /** Why Python serves the blocks, if it does. */
  readonly reason?: string | undefined
}

export type SwarmChoice = 'new' | 'public' | readonly string[]

/** Returns the swarm to start or join: that of the command line, or of the configuration. */
export function swarmOf({ startsSwarm }: ContributeRequest, { config }: LoadedConfig): SwarmChoice {
  const { initialPeers } = config.swarm
  if (startsSwarm) return 'new'
  return isPublicSwarm(initialPeers) ? 'public' : initialPeers
}
