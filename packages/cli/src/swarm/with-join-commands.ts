import { joinCommands } from '@petals-chat/contribute'
import type { SwarmView } from '@petals-chat/engine'
import { isLoopbackHost } from '@petals-chat/gateway/config'
import type { LoadedConfig } from '../config/load.ts'
import { launcher } from '../launcher.ts'
import { joinTargetOf } from './join-target.ts'

/** Adds the commands that make another machine a server of the models to a view of the swarm. */
export function withJoinCommands(
  view: SwarmView,
  { config, baseFolder }: Pick<LoadedConfig, 'config' | 'baseFolder'>,
): SwarmView {
  const options = { baseFolder, hideFolders: !isLoopbackHost(config.server.host) }
  const specs = new Map(
    config.models.flatMap((spec) => (spec.engine === 'petals' ? [[spec.id, spec] as const] : [])),
  )
  return {
    isPublic: view.isPublic,
    async status(abort) {
      const status = await view.status(abort)
      const start = launcher()
      return {
        ...status,
        models: status.models.map((model) => ({
          ...model,
          join: joinCommands(start, joinTargetOf(model, specs.get(model.id), options), model),
        })),
      }
    },
  }
}
