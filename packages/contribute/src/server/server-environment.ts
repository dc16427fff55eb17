import path from 'node:path'
import { childEnvironment } from '@petals-chat/engine'
import { noReports } from '../environment/no-reports.ts'
import type { ServerSettings } from './server-settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface ServerEnvironmentOptions {
  /** The model is a folder of this machine. */
  readonly isLocal: boolean
  /** Settings of the Hub, from the environment or the configuration. */
  readonly hub?: {
    readonly token?: string | undefined
    readonly endpoint?: string | undefined
    readonly offline?: boolean | undefined
  }
  readonly environment: Environment
}

/**
 * Returns the environment of a server's processes. They connect only to what serving needs. The Hub's token is passed in the
 * environment, because every user of a machine can read arguments.
 */
export function serverEnvironment(
  settings: Pick<ServerSettings, 'model' | 'swarm' | 'adapters'>,
  { isLocal, hub = {}, environment }: ServerEnvironmentOptions,
): Record<string, string | undefined> {
  const needsHub = !isLocal || (settings.adapters ?? []).length > 0
  const { XDG_CACHE_HOME: cacheHome } = environment
  return {
    ...childEnvironment(environment, { usesNetwork: true }),
    ...noReports,
    // The GPU was chosen by the order of nvidia-smi; CUDA's default order begins with the fastest GPU.
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    ...(needsHub && hub.offline !== true ? {} : { HF_HUB_OFFLINE: '1' }),
    ...(hub.endpoint === undefined ? {} : { HF_ENDPOINT: hub.endpoint }),
    ...(settings.swarm === 'public' ? {} : { PETALS_CHAT_SPEED_TEST: '0' }),
    // The pinned huggingface_hub (0.17) reads only the second name, which newer versions have replaced by the first.
    HF_TOKEN: needsHub ? hub.token : undefined,
    HUGGING_FACE_HUB_TOKEN: needsHub ? hub.token : undefined,
    ...(cacheHome && environment.PETALS_CACHE === undefined
      ? { PETALS_CACHE: path.join(cacheHome, 'petals') }
      : {}),
  }
}
