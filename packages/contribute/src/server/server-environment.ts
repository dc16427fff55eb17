import path from 'node:path'
import { noReports } from '../environment/no-reports.ts'
import type { ServerSettings } from './server-settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Environment of a server's processes: they reach out for what serving needs, and nothing else. The Hub's token goes by
 * the environment, since arguments can be read by every user of a machine.
 */
export function serverEnvironment(
  settings: Pick<ServerSettings, 'model' | 'swarm' | 'adapters'>,
  {
    isLocal,
    token,
    environment,
  }: {
    readonly isLocal: boolean
    readonly token?: string | undefined
    readonly environment: Environment
  },
): Record<string, string | undefined> {
  const needsHub = !isLocal || (settings.adapters ?? []).length > 0
  const { XDG_CACHE_HOME: cacheHome } = environment
  return {
    ...environment,
    ...noReports,
    ...(needsHub ? {} : { HF_HUB_OFFLINE: '1' }),
    ...(settings.swarm === 'public' ? {} : { PETALS_CHAT_SPEED_TEST: '0' }),
    // The name of the pinned huggingface_hub, which is older than HF_TOKEN.
    HF_TOKEN: needsHub ? token : undefined,
    HUGGING_FACE_HUB_TOKEN: needsHub ? token : undefined,
    ...(cacheHome && environment.PETALS_CACHE === undefined
      ? { PETALS_CACHE: path.join(cacheHome, 'petals') }
      : {}),
  }
}
