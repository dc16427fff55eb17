import path from 'node:path'
import { noReports } from '../environment/no-reports.ts'
import type { ServerSettings } from './server-settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface ServerEnvironmentOptions {
  /** The model is a folder of this machine. */
  readonly isLocal: boolean
  /** What holds for the Hub, be it from the environment or the configuration. */
  readonly hub?: {
    readonly token?: string | undefined
    readonly endpoint?: string | undefined
    readonly offline?: boolean | undefined
  }
  readonly environment: Environment
}

/**
 * Environment of a server's processes: they reach out for what serving needs, and nothing else. The Hub's token goes by
 * the environment, since arguments can be read by every user of a machine.
 */
export function serverEnvironment(
  settings: Pick<ServerSettings, 'model' | 'swarm' | 'adapters'>,
  { isLocal, hub = {}, environment }: ServerEnvironmentOptions,
): Record<string, string | undefined> {
  const needsHub = !isLocal || (settings.adapters ?? []).length > 0
  const { XDG_CACHE_HOME: cacheHome } = environment
  return {
    ...environment,
    ...noReports,
    // `cuda:1` is the number of nvidia-smi, by which the GPU was chosen: CUDA's own order begins with the fastest.
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    ...(needsHub && hub.offline !== true ? {} : { HF_HUB_OFFLINE: '1' }),
    ...(hub.endpoint === undefined ? {} : { HF_ENDPOINT: hub.endpoint }),
    ...(settings.swarm === 'public' ? {} : { PETALS_CHAT_SPEED_TEST: '0' }),
    // The name of the pinned huggingface_hub, which is older than HF_TOKEN.
    HF_TOKEN: needsHub ? hub.token : undefined,
    HUGGING_FACE_HUB_TOKEN: needsHub ? hub.token : undefined,
    ...(cacheHome && environment.PETALS_CACHE === undefined
      ? { PETALS_CACHE: path.join(cacheHome, 'petals') }
      : {}),
  }
}
