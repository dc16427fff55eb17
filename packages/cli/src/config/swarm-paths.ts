import { homedir } from 'node:os'
import path from 'node:path'
import { expandHome } from '@petals-chat/hub/config'
import type { Config } from './schema.ts'

/** Makes the paths of the section absolute: `~` is the home folder, other paths are relative to `baseFolder`. */
export function withSwarmPaths(section: Config['swarm'], baseFolder: string): Config['swarm'] {
  const locate = (text: string): string => path.resolve(baseFolder, expandHome(text, homedir()))
  const { identityPath, cacheDir } = section
  return { ...section, identityPath: identityPath && locate(identityPath), cacheDir: locate(cacheDir) }
}
